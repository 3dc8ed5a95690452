-- title: Environment
-- note: Where it changed from run to run, every value is listed.
select key as fact, group_concat(distinct value) as value
from v_environment e join selected using (run_id) where source = 'environment' group by key order by key;
