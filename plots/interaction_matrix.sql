-- how each pair of optimizers changes the other's end-to-end speed-up; the diagonal is the main effect
-- empty: these runs are not a full factorial experiment of two optimizers or more (assay experiment --design full)

create temp table chosen as
select metric, axes from interaction where stage is null order by metric <> 'e2e_ns', metric, axes limit 1;

-- block: cells
select max(a_position, b_position) as row, min(a_position, b_position) as col, ratio, low, high, 0 as is_main
from interaction join chosen using (metric, axes) where stage is null;

-- block: mains
select position as row, ratio, low, high, factor as label from effect join chosen using (metric, axes)
where stage is null order by position;
