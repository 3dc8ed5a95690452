-- title: Fidelity
-- note: Outputs on a fixed probe against the reference in higher precision. exact: bit for bit; same choices: equal tokens beyond the margin; reordered: error at most twice that of the plain form; lossy: beyond that at most what the settings declare; a lossy run past its bound has no speed-up.
select s.label as cell, f.class, case when f.is_ok then 'within' when f.class = 'lossy' then 'PAST' else 'OUTSIDE' end as bound, printf('%.3g', f.error) as "#error",
       printf('%.3g', f.plain_error) as "#plain error", printf('%.3g', f.bound) as "#allowed", f.detail
from selected s join v_fidelity f using (run_id) order by s.position;
