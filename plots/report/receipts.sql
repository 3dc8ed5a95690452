-- title: Receipts
-- note: Did the optimizer take effect? The evidence comes from executed operations.
select s.label as cell, p.optimizer || coalesce('=' || nullif(p.settings, ''), '') as optimizer, p.verdict, p.evidence
from selected s join v_receipt p using (run_id) order by s.position, p.optimizer;
