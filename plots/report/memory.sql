-- title: Memory
select s.label as cell, m.class, as_size(m.bytes) as "#size"
from selected s join v_memory m using (run_id) order by s.position, m.class <> 'peak_resident', m.bytes desc;
