-- title: Receipts
-- note: Did the optimizer take effect? The evidence comes from executed operations.
select s.label as cell, p.optimizer || coalesce('=' || nullif(p.settings, ''), '') as optimizer, p.verdict,
       substr(p.evidence, 1, instr(p.evidence || char(10), char(10)) - 1) as evidence
from selected s join v_receipt p using (run_id) order by s.position, p.optimizer;
