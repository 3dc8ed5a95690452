-- title: What makes runs comparable
-- note: Runs that differ in one of these are not compared.
select f.key as fact, group_concat(distinct f.value) as value
from selected s join v_run r using (run_id), json_each(r.comparability_json) f group by f.key order by f.key;
