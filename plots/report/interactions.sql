-- title: Two-way interactions
-- note: What the speed-up of each is multiplied by while the other is on, and divided by while it is off. Above ×1 they help each other, below they are in each other's way; an interval that holds ×1 is no evidence of either.
select as_metric(case when stage is null then metric else 'stage ' || stage end) || case when axes = '' then '' else ' ' || axes end as measure,
       a || ' and ' || b as pair, as_ratio(ratio, low, high) as "#interaction",
       case when low > 1 then 'help each other' when high < 1 then 'hinder each other' else 'not told from none' end as reading
from interaction where metric in ('e2e_ns', 'ttft_ns', 'tpot_ns', 'stage_ns', 'peak_bytes')
order by case metric when 'e2e_ns' then 0 when 'ttft_ns' then 1 when 'tpot_ns' then 2 when 'stage_ns' then 3 else 4 end,
         metric, stage, axes, a_position, b_position;
