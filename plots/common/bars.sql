-- The rest of every breakdown: from part (run, unit, name, kind, share) to the blocks that common/bars.gp draws.

-- A run without a timed pass (an imported trace) has the mean of its profiled samples, and no interval.
create temp table timed as
select s.position as run, i.median, i.low, i.high, 1 as is_timed
from selected s join interval i using (run_id) where i.metric = 'wall_ns'
union all
select s.position, max(l.wall_ns), null, null, 0 from selected s join v_ledger l using (run_id)
where s.state in ('ok', 'noisy') and not exists (select 1 from v_sample t where t.run_id = s.run_id and t.phase = 'timed')
group by s.position;

-- Of many names the longest have a colour of their own, the others share one.
create temp table longest as
select name from part where kind = 0 group by name order by sum(share) desc, name limit 13;
create temp table named as
select run, unit, case when kind > 0 or n <= 14 or name in (select name from longest) then name
    else printf('%d others', n - 13) end as name, kind, sum(share) as share
from part, (select count(distinct name) as n from part where kind = 0)
group by 1, 2, 3, 4;

create temp table line as
select row_number() over (order by s.position, p.unit) as row, s.position as run, p.unit,
       s.label || s.mark
       || case when count(*) over (partition by s.position) > 1 then ' ' || p.unit else '' end as label
from selected s left join (select distinct run, unit from part) p on p.run = s.position;

create temp table ranked as
select name, kind, row_number() over (order by kind, name glob '[0-9]* others', sum(share) desc, name) as rank,
       case when length(name) > 30 then substr(name, 1, 29) || '…' else name end as shown from named group by name, kind;

-- block: bars
select l.row, r.rank as series,
       (sum(p.share) over before - p.share) * t.median / 1e6 as low, sum(p.share) over before * t.median / 1e6 as high,
       p.share, case when p.kind = 0 and p.share * t.median > 0.07 * (select max(median) from timed)
                     then printf('%.0f %%', 100 * p.share) else '' end as text
from named p join ranked r using (name, kind) join timed t using (run) join line l on l.run = p.run and l.unit = p.unit
window before as (partition by l.row order by r.rank);

-- block: series
select shown as name, kind from ranked order by rank;

-- block: rows
select row, label from line order by row;

-- block: wall
select l.row, t.median / 1e6 as median, t.low / 1e6 as low, t.high / 1e6 as high
from timed t join line l using (run) where t.median is not null;

-- block: basis
select sum(is_timed) as n_timed, sum(not is_timed) as n_profiled, coalesce(max(high) / 1e6, 0) as high,
    (select max(length(shown)) from ranked) as chars from timed;
