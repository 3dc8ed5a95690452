-- operations of the first and the last run: work over traffic against rate, under the measured ceilings
-- empty: no selected run has operations with declared work (run with --profile 1 or more)

create temp table ends as
select min(s.position) as first, max(s.position) as last from selected s join v_op o using (run_id) where o.flop > 0;

create temp table point as
select s.position = e.last and e.first < e.last as is_last, o.stage, o.op, o.category, sum(o.ns) as ns,
       sum(o.flop) / sum(o.bytes) as intensity, sum(o.flop) / sum(o.ns) as rate,
       sum(o.ns) / sum(sum(o.ns)) over (partition by s.position) as share
from selected s join v_op o using (run_id) join ends e on s.position in (e.first, e.last)
where o.ns > 0 and o.bytes > 0
group by s.position, o.stage, o.op, o.category;

create temp table category as
select category, row_number() over (order by sum(ns) desc) as rank from
    point where rate > 0 and share >= 0.002 group by category;

-- block: points
select c.rank as series, p.is_last, p.intensity, p.rate, p.share from point p join category c using (category)
where p.rate > 0 and p.share >= 0.002 order by p.share desc;

-- The longest operations of the last run; the drawing leaves out the names that would overlap.
-- block: names
select intensity, rate, coalesce(stage || ' ', '') || op || printf(' %.0f %%', 100 * share) as text from point
where rate > 0 and share >= 0.02 and is_last = (select max(is_last) from point) order by share desc limit 24;

-- block: series
select category as name, rank from category order by rank;

-- Bandwidth at the largest and the smallest working set, and the rate of each matrix unit, of all threads; of the GPU
-- where the run was on one.
create temp table limit_of as
select c.*, max(c.threads) over (partition by c.kind) as most,
       max(c.working_set_bytes) over (partition by c.kind) as largest,
       min(c.working_set_bytes) over (partition by c.kind) as smallest
from v_ceiling c join v_run r using (run_id) where c.run_id = (select run_id
    from selected s join v_ceiling x using (run_id) order by s.position limit 1)
    and (c.unit like 'cuda%') = (r.backend like 'cuda%');

-- block: slopes
select max(value) / 1e9 as rate,
       'read ' || case when working_set_bytes >= 1e9 then printf('%.3g GB', working_set_bytes / 1e9)
                       when working_set_bytes >= 1e6 then printf('%.3g MB', working_set_bytes / 1e6)
                       else printf('%.3g kB', working_set_bytes / 1e3) end
       || printf(': %.3g GB/s', max(value) / 1e9) as text
from limit_of where kind = 'read' and threads = most and working_set_bytes in (largest, smallest)
group by working_set_bytes order by working_set_bytes desc;

-- block: flats
select max(value) / 1e9 as rate, unit || printf(' matrix: %.3g GFLOP/s', max(value) / 1e9) as text
from limit_of where kind = 'matrix' and threads = most and value > 0 group by unit order by 1 desc;

-- block: frame
select min(intensity) as left, max(intensity) as right, min(rate) as bottom, max(rate) as top,
       (select s.label from selected s, ends where position = first) as first_label,
       (select s.label from selected s, ends where position = last) as last_label
from point where rate > 0 and share >= 0.002;
