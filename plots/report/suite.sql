-- title: Against others
-- note: R is how many times better ours is than the best of the others, round by round: its median and range over rounds, then its 95 % interval. Met and short are decided by the interval.
select r.title as row, as_metric(r.metric) as metric, as_ratio(r.ratio, r.lowest, r.highest) as "#R [range]", as_ratio(r.ratio, r.low, r.high) as "#R [interval]",
       as_ratio(r.at_least, null, null) as "#at least", r.verdict as verdict, r.rounds as "#rounds",
       (select entry || case is_synthetic when 1 then ' (synthetic weights)' else '' end || coalesce(': ' || as_span(median, lowest, highest, r.unit), ' is ' || coalesce(state, 'not measured'))
            from suite_side s where s.position = r.position and s.role = 'ours') as "ours [range]",
       (select group_concat(entry || coalesce(': ' || as_span(median, lowest, highest, r.unit), ' is ' || coalesce(state, 'not measured')), '; ')
            from (select * from suite_side s where s.position = r.position and s.role <> 'ours' order by s.role <> 'best')) as "others [range], the best first",
       nullif(r.reason, '') as "why not decided"
from suite_row r order by r.position;
