-- note: Median with 95 % interval over processes. Speed-up: against the plain cell, end to end; more than ×1 is faster; given only where every optimizer engaged and the run is within its fidelity bound. Quality: in brackets the difference from the plain cell.
with reading as (select run_id, metric, as_span(median, low, high, unit) as words from interval)
select s.label as cell, s.state,
       (select words from reading m where m.run_id = s.run_id and metric = 'e2e_ns') as "#end to end",
       case when c.base_id = s.run_id then 'reference' else coalesce(b.speedless, as_ratio(c.ratio, c.low, c.high)) end as "#speed-up",
       iif(b.speedless is null, c.verdict, null) as verdict, b.fidelity, b.quality,
       (select case when min(verdict) = 'ENGAGED' and max(verdict) = 'ENGAGED' then 'ENGAGED' else group_concat(iif(verdict = 'ENGAGED', null, optimizer || ' ' || verdict), ', ')
                    || iif(max(verdict = 'ENGAGED'), ', others ENGAGED', '') end
            from v_receipt p where p.run_id = s.run_id having count(*)) as receipts,
       (select words from reading m where m.run_id = s.run_id and metric = 'peak_bytes') as "#peak memory"
from selected s left join beside b using (run_id) left join comparison c on c.run_id = s.run_id and c.metric = 'e2e_ns' order by s.position;
