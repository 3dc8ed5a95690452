-- title: Specification
-- note: Where cells differ, every value is listed.
with pair as (
    select replace(f.fullkey, '"', '') as key, case when f.type in ('true', 'false') then f.type else f.atom end as value, s.position
    from selected s join v_run r using (run_id), json_tree(r.spec_json) f where f.atom is not null)
select substr(key, 3) as setting, group_concat(value, ' | ') as value
from (select distinct key, value from pair order by position) group by key order by key;
