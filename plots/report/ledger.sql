-- title: Ledger
-- note: Mean of the profiled samples, stage by category. For each unit the lines sum to the wall time; idle pieces come from recorded waits, and what no record explains is the residual. Share of the ceiling: of what this machine was measured to reach.
-- each: run
with chosen as (
    select l.*, row_number() over (partition by unit order by ns desc) as place, count(*) over (partition by unit) as n
    from v_ledger l join selected s using (run_id) where s.position = :run)
select * from (
    select coalesce(stage, '') as stage, category, as_time(ns) as "#time", as_percent(share) as "#of wall",
           case when launches is not null then printf('%.0f', launches) end as "#launches",
           case when flop > 0 and ns > 0 then printf('%.3g', flop / ns) end as "#GFLOP/s",
           case when bytes > 0 and ns > 0 then printf('%.3g', bytes / ns) end as "#GB/s",
           as_percent(ceiling_share) as "#of ceiling", ceiling, unit
    from chosen where n <= 60 or place <= 50 or category = 'residual' order by unit, category = 'residual', line)
union all
select * from (
    select (n - 50) || ' shorter lines', '', as_time(sum(ns)), as_percent(sum(share)), null, null, null, null, null, unit
    from chosen where n > 60 and place > 50 and category <> 'residual' group by unit order by unit)
union all
select * from (
    select 'all lines', '', as_time(sum(ns)), as_percent(sum(share)), '', null, null, null, 'wall ' || as_time(max(wall_ns)), unit
    from chosen group by unit order by unit);
