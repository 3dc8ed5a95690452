-- when each token of a request came out: median over the timed samples, with the middle 80 %
-- empty: no selected run has timed samples with ttft_ns and itl_ns

-- A request's values carry its number as position; an inter-token value carries request * 2^20 + index.
create temp table arrival as
select s.position as run, m.process_id, m.sample, m.position >> 20 as request,
       row_number() over request as token, m.value as gap
from selected s join v_metric_sample m using (run_id)
where m.metric = 'itl_ns' and m.phase = 'timed'
window request as (partition by s.position, m.process_id, m.sample, m.position >> 20 order by m.position);

create temp table started as
select s.position as run, m.process_id, m.sample, m.position as request, m.value as first
from selected s join v_metric_sample m using (run_id) where m.metric = 'ttft_ns' and m.phase = 'timed';

create temp table emitted as
select run, 1 as token, first as ns from started
union all
select a.run, a.token + 1, f.first + sum(a.gap) over request
from arrival a join started f using (run, process_id, sample, request)
window request as (partition by a.run, a.process_id, a.sample, a.request order by a.token);

create temp table ordered as
select run, token, ns / 1e6 as ms, row_number() over (partition by run, token order by ns) as k,
       count(*) over (partition by run, token) as n
from emitted;

create temp table longest as select max(token) as tokens from emitted;

create temp table line as
select run, token, max(case when k = (n + 1) / 2 then ms end) as median,
       max(case when k = max(1, cast(0.1 * n + 0.5 as integer)) then ms end) as low,
       max(case when k = min(n, cast(0.9 * n + 0.5 as integer)) then ms end) as high
from ordered, longest
where token <= 3 or token = tokens or token % max(1, tokens / 256) = 0
group by run, token;

-- block: timeline
select run, token, median from line order by run, token;

-- The band's outline: up along its early edge and back along the late one.
-- block: band
select run, ms, token from (select run, low as ms, token, token as place from line
    union all select run, high, token, 1e9 - token from line) order by run, place;

-- block: rows
select s.position as run, s.label || s.mark as label
from selected s order by s.position;
