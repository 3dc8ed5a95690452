-- title: Percentiles
-- note: Of single requests and single tokens, all timed samples of all processes together. A percentile beyond what the number of values can show is left out.
with value as (
    select s.position, s.label, m.metric, m.value, row_number() over series as k, count(*) over (partition by s.position, m.metric) as n
    from selected s join v_metric_sample m using (run_id)
    where m.phase = 'timed' and m.metric in ('ttft_ns', 'itl_ns', 'tpot_ns', 'e2e_ns') and m.value is not null
    window series as (partition by s.position, m.metric order by m.value))
select as_metric(metric) as metric, label as cell, n as "#values", as_time(min(value)) as "#least",
       as_time(max(case when k <= (n + 1) / 2 then value end)) as "#p50",
       case when n >= 10 then as_time(min(case when k >= 0.9 * n then value end)) end as "#p90",
       case when n >= 100 then as_time(min(case when k >= 0.99 * n then value end)) end as "#p99",
       case when n >= 1000 then as_time(min(case when k >= 0.999 * n then value end)) end as "#p99.9",
       as_time(max(value)) as "#most"
from value group by metric, position
order by case metric when 'ttft_ns' then 0 when 'itl_ns' then 1 when 'tpot_ns' then 2 else 3 end, position;
