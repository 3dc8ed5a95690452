-- The rest of every breakdown: from part (run, unit, name, kind, share) to the blocks that common/bars.gp draws.

create temp table timed as
select s.position as run, i.median, i.low, i.high
from selected s join interval i using (run_id) where i.metric = 'wall_ns';

create temp table line as
select row_number() over (order by s.position, p.unit) as row, s.position as run, p.unit,
       s.label || case when s.state in ('ok', 'running') then '' else ' (' || s.state || ')' end
       || case when count(*) over (partition by s.position) > 1 then ' ' || p.unit else '' end as label
from selected s left join (select distinct run, unit from part) p on p.run = s.position;

create temp table ranked as
select name, kind, row_number() over (order by kind, sum(share) desc, name) as rank from part group by name, kind;

-- block: bars
select l.row, r.rank as series,
       (sum(p.share) over before - p.share) * t.median / 1e6 as low, sum(p.share) over before * t.median / 1e6 as high,
       p.share, case when p.kind = 0 and p.share * t.median > 0.07 * (select max(median) from timed)
                     then printf('%.0f %%', 100 * p.share) else '' end as text
from part p join ranked r using (name, kind) join timed t using (run) join line l on l.run = p.run and l.unit = p.unit
window before as (partition by l.row order by r.rank);

-- block: series
select name, kind from ranked order by rank;

-- block: rows
select row, label from line order by row;

-- block: wall
select l.row, t.median / 1e6 as median, t.low / 1e6 as low, t.high / 1e6 as high
from timed t join line l using (run) where t.median is not null;
