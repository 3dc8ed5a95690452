-- end-to-end time from the plain form down, adding at each step the optimizer that helps most
-- empty: these runs hold no plain cell from which measured cells lead on one optimizer at a time

-- block: steps
select step + 1 as row, label, ns / 1e6 as ms, low / 1e6 as low, high / 1e6 as high, ratio, ratio_low, ratio_high
from ladder order by step;
