-- title: First output
-- note: The beginning of the first request's output.
select s.label as cell, case when length(o.text) > 300 then substr(o.text, 1, 300) || '…' else o.text end as text
from selected s join v_output o using (run_id)
where o.request = (select min(request) from v_output x where x.run_id = s.run_id) and o.text is not null order by s.position;
