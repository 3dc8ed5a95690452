-- title: Operations that take longest
-- note: Of the profiled pass. The ceiling here is the larger share of two: memory reads at the largest working set measured, and the matrix rate of the run's type. Above 100 % of the memory ceiling: the data came from a cache.
-- each: run
with run as (select s.run_id, r.dtype from selected s join v_run r using (run_id) where s.position = :run),
pace as (
    select (select value from v_ceiling c where c.run_id = run.run_id and kind = 'read' order by threads desc, working_set_bytes desc limit 1) as read,
           (select max(value) from v_ceiling c where c.run_id = run.run_id and kind = 'matrix' and c.unit = run.dtype) as matrix
    from run),
op as (
    select stage, op, category, sum(calls) as calls, sum(ns) as ns, sum(flop) as flop, sum(bytes) as bytes, sum(sum(ns)) over () as total
    from v_op join run using (run_id) group by stage, op, category)
select coalesce(stage, '') as stage, case when length(op) > 160 then substr(op, 1, 159) || '…' else op end as operation, category, printf('%.0f', calls) as "#calls", as_time(ns) as "#time",
       as_percent(ns / total) as "#of operations", case when flop > 0 then printf('%.3g', flop / ns) end as "#GFLOP/s",
       case when bytes > 0 then printf('%.3g', bytes / ns) end as "#GB/s",
       case when flop >= 0 and bytes > 0 then printf('%.3g', flop / bytes) end as "#flop/byte",
       case when read is not null and coalesce(bytes, flop) is not null
            then as_percent(max(coalesce(bytes / ns * 1e9 / read, 0), coalesce(flop / ns * 1e9 / matrix, 0))) end as "#of ceiling",
       case when read is null then null when coalesce(flop / matrix, 0) > bytes / read then 'matrix' else 'memory' end as ceiling
from op, pace where ns > 0 order by ns desc limit 12;
