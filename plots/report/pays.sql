-- note: Speed-ups are of end-to-end time, more than ×1 is faster, with their intervals. Main effect: averaged over the other optimizers on and off. Shapley share: each optimizer's part of the whole speed-up; the parts multiply to it. What did not engage has no speed-up.
with name as (
    select distinct f.experiment_id, f.position, f.factor,
           case when instr(f.factor, '=') then substr(f.factor, 1, instr(f.factor, '=') - 1) else f.factor end as optimizer
    from v_factor f join v_run r using (experiment_id) join selected s using (run_id)),
axis as (
    select distinct experiment_id, json(axes_json) as axes_json,
           coalesce((select group_concat(key || '=' || value, ' ') from json_each(axes_json)), '') as axes
    from v_run join selected using (run_id)),
alone as (
    select n.*, a.axes_json, a.axes, r.run_id, (select p.run_id from v_run p join selected using (run_id)
                                        where p.experiment_id = n.experiment_id and json(p.axes_json) = a.axes_json and p.mask = 0) as plain_id
    from name n join axis a using (experiment_id)
    left join v_run r on r.experiment_id = n.experiment_id and json(r.axes_json) = a.axes_json and r.mask = 1 << n.position
        and r.run_id in (select run_id from selected))
select factor || case when axes = '' then '' else ' ' || axes end as optimizer,
       (select as_ratio(ratio, low, high) from comparison c where c.run_id = a.run_id and c.metric = 'e2e_ns' and c.is_engaged) as "#alone",
       (select verdict from comparison c where c.run_id = a.run_id and c.metric = 'e2e_ns' and c.is_engaged) as verdict,
       (select as_ratio(ratio, low, high) from effect x where x.metric = 'e2e_ns' and x.stage is null and x.factor = a.factor
            and x.axes = a.axes) as "#main effect",
       (select as_ratio(ratio, low, high) from shapley x where x.metric = 'e2e_ns' and x.stage is null and x.factor = a.factor
            and x.axes = a.axes) as "#Shapley share",
       (select group_concat(distinct p.verdict) from v_receipt p join v_run r using (run_id) join selected using (run_id)
            where r.experiment_id = a.experiment_id and p.optimizer = a.optimizer) as "receipt, all cells",
       (select class || case is_ok when 1 then '' else ', NOT ok' end from v_fidelity d where d.run_id = a.run_id) as "fidelity alone",
       (select group_concat(q.name || ' ' || printf('%+.3g', q.value - p.value) || ' ' || q.unit, ', ') from v_quality q join v_quality p
            on p.run_id = a.plain_id and p.name = q.name where q.run_id = a.run_id) as "#quality against plain"
from alone a order by a.experiment_id, a.axes_json, a.position;
