-- note: Speed-ups are of end-to-end time, more than ×1 is faster, with their intervals. Main effect: averaged over the other optimizers on and off. Shapley share: each optimizer's part of the whole speed-up; the parts multiply to it. What did not engage, or is past its fidelity bound, has no speed-up. Quality: of the optimizer alone, in brackets the difference from the plain cell.
with name as (
    select distinct f.experiment_id, f.position, f.factor,
           case when instr(f.factor, '=') then substr(f.factor, 1, instr(f.factor, '=') - 1) else f.factor end as optimizer
    from v_factor f join v_run r using (experiment_id) join selected s using (run_id)),
axis as (
    select distinct experiment_id, json(axes_json) as axes_json,
           coalesce((select group_concat(key || '=' || value, ' ') from json_each(axes_json)), '') as axes
    from v_run join selected using (run_id)),
alone as (
    select n.*, a.axes_json, a.axes, r.run_id
    from name n join axis a using (experiment_id)
    left join v_run r on r.experiment_id = n.experiment_id and json(r.axes_json) = a.axes_json and r.mask = 1 << n.position
        and r.run_id in (select run_id from selected))
select factor || case when axes = '' then '' else ' ' || axes end as optimizer,
       coalesce(b.speedless, (select as_ratio(ratio, low, high) from comparison c where c.run_id = a.run_id and c.metric = 'e2e_ns')) as "#alone",
       (select verdict from comparison c where c.run_id = a.run_id and c.metric = 'e2e_ns' and c.is_engaged) as verdict,
       (select as_ratio(ratio, low, high) from effect x where x.metric = 'e2e_ns' and x.stage is null and x.factor = a.factor
            and x.axes = a.axes) as "#main effect",
       (select as_ratio(ratio, low, high) from shapley x where x.metric = 'e2e_ns' and x.stage is null and x.factor = a.factor
            and x.axes = a.axes) as "#Shapley share",
       (select group_concat(distinct p.verdict) from v_receipt p join v_run r using (run_id) join selected using (run_id)
            where r.experiment_id = a.experiment_id and p.optimizer = a.optimizer and r.mask >> a.position & 1) as "receipt, all cells",
       b.fidelity as "fidelity alone", b.quality
from alone a left join beside b using (run_id) order by a.experiment_id, a.axes_json, a.position;
