-- title: Quality
select s.label as cell, q.name as metric, printf('%.6g', q.value) as "#value", q.unit, q.n as "#values", q.detail
from selected s join v_quality q using (run_id) order by q.name, s.position;
