-- note: Median with 95 % interval over processes. Speed-up: against the plain cell, end to end; more than ×1 is faster; given only where every optimizer engaged.
with reading as (select run_id, metric, as_span(median, low, high, unit) as words from interval)
select s.label as cell, s.state,
       (select words from reading m where m.run_id = s.run_id and metric = 'e2e_ns') as "#end to end",
       case when c.base_id = s.run_id then 'reference' when c.is_engaged then as_ratio(c.ratio, c.low, c.high) end as "#speed-up",
       iif(c.is_engaged, c.verdict, null) as verdict,
       (select case when min(verdict) = 'ENGAGED' and max(verdict) = 'ENGAGED' then 'ENGAGED' else group_concat(iif(verdict = 'ENGAGED', null, optimizer || ' ' || verdict), ', ')
                    || iif(max(verdict = 'ENGAGED'), ', others ENGAGED', '') end
            from v_receipt p where p.run_id = s.run_id having count(*)) as receipts,
       (select class || case is_ok when 1 then '' else ', NOT ok' end from v_fidelity f where f.run_id = s.run_id) as fidelity,
       (select group_concat(name || ' ' || printf('%.5g ', value) || unit, ', ') from v_quality q where q.run_id = s.run_id) as "#quality",
       (select words from reading m where m.run_id = s.run_id and metric = 'peak_bytes') as "#peak memory"
from selected s left join comparison c on c.run_id = s.run_id and c.metric = 'e2e_ns' order by s.position;
