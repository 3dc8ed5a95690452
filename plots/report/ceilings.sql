-- title: Ceilings
-- note: The best that this machine was measured to reach.
select distinct c.kind, c.unit, c.threads as "#threads", as_size(nullif(c.working_set_bytes, 0)) as "#working set",
       printf('%.4g', c.value / 1e9) as "#G/s", case when c.kind = 'matrix' then 'GFLOP/s' else 'GB/s' end as rate,
       printf('%.4g', c.low / 1e9) as "#low", printf('%.4g', c.high / 1e9) as "#high", c.pattern
from v_ceiling c join selected using (run_id) order by c.kind, c.unit, c.threads, c.working_set_bytes;
