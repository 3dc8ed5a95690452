-- cumulative distribution of each request's time to first token, inter-token latency and end-to-end time
-- empty: no selected run has timed samples of ttft_ns, itl_ns or e2e_ns

create temp table panel(panel integer primary key, metric text, title text);
insert into panel values (1, 'ttft_ns', 'time to first token, ms'), (2, 'itl_ns', 'inter-token latency, ms'),
    (3, 'e2e_ns', 'end-to-end time, ms');

create temp table ranked as
select p.panel, s.position as run, m.value / 1e6 as ms, count(*) over series as n,
       row_number() over (partition by p.panel, s.position order by m.value) as k
from selected s join v_metric_sample m using (run_id) join panel p using (metric)
where m.phase = 'timed' and m.value is not null
window series as (partition by p.panel, s.position);

-- The first point starts the staircase at zero; long series are thinned to about 400 points.
-- block: ecdf
select panel, run, ms, 1.0 * k / n as share from ranked
where n <= 400 or k % (n / 400) = 0 or k = n or k <= 3 or k > n - 5
union all
select panel, run, min(ms), 0 from ranked group by panel, run
order by 1, 2, 4;

-- block: medians
select p.panel, s.position as run, i.median / 1e6 as median, i.low / 1e6 as low, i.high / 1e6 as high
from selected s join interval i using (run_id) join panel p using (metric) where i.median is not null order by 1, 2;

-- Beyond the 99.5th percentile of a long series the axis ends.
-- block: panels
select title, coalesce((select max(n) from ranked r where r.panel = p.panel), 0) as n,
       coalesce((select min(ms) from ranked r where r.panel = p.panel), 0) as low,
       coalesce((select max(ms) from ranked r where r.panel = p.panel and (n < 200 or k <= 0.995 * n)), 0) as high
from panel p order by panel;

-- block: rows
select s.position as run, s.label || s.mark as label
from selected s order by s.position;
