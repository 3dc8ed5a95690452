-- title: Warnings
-- as: list
with chosen as (select s.position, s.label, s.short_id, r.* from selected s join v_run r using (run_id)),
problem as (
    select position, label || ' is ' || state || coalesce(': ' || reason, '') || '.' as text from chosen where state <> 'ok'
    union all
    select c.position, c.label || ': ' || w.text from chosen c join v_warning w using (run_id)
    union all
    select min(c.position), p.optimizer || ' is ' || p.verdict || ' in ' || count(*) || case count(*) when 1 then ' cell' else ' cells' end
           || ', which therefore have no speed-up: ' || group_concat(c.label, ', ') || '; evidence in the first: ' || substr(p.evidence, 1, instr(p.evidence || char(10), char(10)) - 1)
    from chosen c join v_receipt p using (run_id) where p.verdict <> 'ENGAGED' group by p.optimizer, p.verdict
    union all
    select c.position, c.label || ': fidelity ' || f.class || case f.class when 'lossy' then ' is past its bound, so that it has no speed-up: ' else ' is outside its bound: ' end || coalesce(f.detail, '')
    from chosen c join v_fidelity f using (run_id) where f.is_ok = 0
        and not exists (select 1 from v_warning w where w.run_id = c.run_id and instr(w.text, 'past its fidelity bound'))
    union all
    select c.position, c.label || ': the profiled pass took ' || as_ratio(p.ratio, p.low, p.high)
           || ' of the timed one; above ×1.05 the attribution of time is not to be trusted.'
    from chosen c join v_perturbation p using (run_id) where p.low > 1.05
    union all
    select c.position, c.label || ': the ledger is incomplete' || coalesce(': ' || l.reason, '') || '.'
    from chosen c join v_ledger l using (run_id) where l.is_complete = 0
        and not exists (select 1 from v_warning w where w.run_id = c.run_id and instr(w.text, l.reason)) group by c.position
    union all
    select 0, 'These runs are not all comparable: they differ in ' || group_concat(key, ', ') || '. Ratios between them are not given.'
    from (select f.key from chosen c, json_each(c.comparability_json) f group by f.key having count(distinct f.value) > 1)
    having count(*))
select distinct text from problem order by position;
