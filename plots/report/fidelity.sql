-- title: Fidelity
-- note: Outputs on a fixed probe against the reference in higher precision. exact: bit for bit; same choices: equal tokens beyond the margin; reordered: error at most twice that of the plain form; lossy: a declared bound on quality.
select s.label as cell, f.class, case f.is_ok when 1 then 'within' else 'OUTSIDE' end as bound, printf('%.3g', f.error) as "#error",
       printf('%.3g', f.plain_error) as "#plain error", printf('%.3g', f.bound) as "#allowed", f.detail
from selected s join v_fidelity f using (run_id) order by s.position;
