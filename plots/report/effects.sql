-- empty: No effects: these runs are not a whole factorial design (assay experiment --design full) with a block in which every cell has a value.
-- note: As factors of speed-up: more than ×1 is faster. In brackets 95 % intervals.
select as_metric(case when e.stage is null then e.metric else 'stage ' || e.stage end)
       || case when e.axes = '' then '' else ' ' || e.axes end as measure, e.factor as optimizer,
       as_ratio(e.ratio, e.low, e.high) as "#main effect", as_ratio(s.ratio, s.low, s.high) as "#Shapley share"
from effect e left join shapley s on s.metric = e.metric and s.stage is e.stage and s.factor = e.factor and s.axes = e.axes
where e.metric in ('e2e_ns', 'ttft_ns', 'tpot_ns', 'stage_ns', 'peak_bytes')
order by case e.metric when 'e2e_ns' then 0 when 'ttft_ns' then 1 when 'tpot_ns' then 2 when 'stage_ns' then 3 else 4 end,
         e.metric, e.stage, e.axes, e.position;
