-- time of each category of work (linear, attention, …): the timed median, shared out by the profiled pass (alone where there is no other)
-- empty: no selected run has a profiled pass (run with --profile 1 or more)

create temp table part as
select s.position as run, l.unit, l.category as name,
       case when l.category like 'idle%' then 1 when l.category = 'residual' then 2 else 0 end as kind,
       sum(l.ns) / max(l.wall_ns) as share
from selected s join v_ledger l using (run_id)
where l.wall_ns > 0
group by s.position, l.unit, name, kind;

-- include: common/bars.sql
