-- title: Latencies and rates
-- note: Smallest visible: the smallest change of the end-to-end time that this data could have shown.
with reading as (select run_id, metric, as_span(median, low, high, unit) as words from interval)
select s.label as cell,
       (select words from reading m where m.run_id = s.run_id and metric = 'ttft_ns') as "#time to first token",
       (select words from reading m where m.run_id = s.run_id and metric = 'tpot_ns') as "#time per output token",
       (select words from reading m where m.run_id = s.run_id and metric = 'prefill_tokens_per_s') as "#prefill rate",
       (select words from reading m where m.run_id = s.run_id and metric = 'decode_tokens_per_s') as "#decode rate",
       as_percent(c.detectable) as "#smallest visible"
from selected s left join comparison c on c.run_id = s.run_id and c.metric = 'e2e_ns' order by s.position;
