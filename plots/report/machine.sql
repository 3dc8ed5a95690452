-- title: Machine
select key as fact, group_concat(distinct value) as value
from v_environment e join selected using (run_id) where source = 'machine' group by key order by key;
