-- where sparse weights begin to pay: speed of the sparse form over the best dense form, by share of zeros and rows, with the crossing
-- empty: no selected run has pruned weights in a sparse form beside a dense form at the same axes (assay experiment --opt sparsity=share=… --batch …)

-- What a run's weights are: a sparse form, or dense ones; and what else was done to their numbers, which both sides must share.
create temp table form as
select s.run_id, s.mark, r.experiment_id, json(r.axes_json) as axes, r.spec_json ->> '$.batch' as batch,
       case when coalesce(r.spec_json ->> '$.prompt_text', r.spec_json ->> '$.prompts', r.spec_json ->> '$.prompt_ids') is null
            then r.spec_json ->> '$.prompt' end as prompt,
       (select value from json_each(r.spec_json, '$.opt') where value like 'sparsity%') as sparsity,
       coalesce((select value from json_each(r.spec_json, '$.opt') where value like 'quantize%'), '') as numbers
from selected s join v_run r using (run_id);

-- The share as the spec has it; 0.5 is what a spec that names none means. N:M drops N of M whatever the share.
create temp table sparse as
select *, case when sparsity like '%per=_:_%' then substr(sparsity, instr(sparsity, 'per=') + 4, 1) * 1.0 / substr(sparsity, instr(sparsity, 'per=') + 6, 1)
               when sparsity like '%share=%' then cast(substr(sparsity, instr(sparsity, 'share=') + 6) as real) else 0.5 end as share
from form where sparsity is not null and sparsity not like '%format=dense%' and sparsity not like '%by=zeros%';

-- Speeds against the plain cell: decoding has a row a request, prefill a row a prompt token.
create temp table speed as
select c.run_id, c.base_id, m.metric, m.is_prefill, c.ratio, c.low, c.high
from (select *, 0 as is_past from comparison union all select *, 1 from past_bound) c
join (select 'tpot_ns' as metric, 0 as is_prefill union all select 'prefill_tokens_per_s', 1) m using (metric)
where c.is_engaged and c.ratio is not null;

create temp table dense as
select f.experiment_id, f.axes, f.numbers, v.metric, max(v.ratio) as ratio, f.run_id = v.base_id as is_plain
from form f join speed v using (run_id)
where f.sparsity is null or f.sparsity like '%format=dense%' group by 1, 2, 3, 4;

-- Only against the plain cell itself is there an interval: that of the comparison.
create temp table point as
select p.share, iif(v.is_prefill, p.batch * p.prompt, p.batch) as n_rows, v.is_prefill, v.ratio / d.ratio as ratio,
       iif(d.is_plain, v.low, null) as low, iif(d.is_plain, v.high, null) as high, p.mark <> '' as is_past
from sparse p join speed v using (run_id) join dense d using (experiment_id, axes, numbers, metric)
where p.batch is not null and (not v.is_prefill or p.prompt is not null) and v.ratio is not null;

create temp table line as
select n_rows, is_prefill, row_number() over (order by is_prefill, n_rows) as line,
       printf('%d', n_rows) || iif(n_rows = 1, ' row', ' rows') || iif(is_prefill, ' (prefill)', '') as label
from point group by n_rows, is_prefill order by is_prefill, n_rows limit 10;

-- Several runs of one share and number of rows: their mean on a scale of factors is what the line goes through.
create temp table knot as
select l.line, l.n_rows, l.is_prefill, p.share, exp(avg(ln(p.ratio))) as ratio from point p join line l using (n_rows, is_prefill)
group by l.line, p.share;

create temp table pair as
select *, lead(share) over (partition by line order by share) as next_share, lead(ratio) over (partition by line order by share) as next_ratio from knot;

-- The last time that a line comes up to 1; 0: there is no crossing, since all of it is above, or below.
create temp table crossing as
select l.line, l.n_rows, l.is_prefill, l.label,
       (select max(share + (next_share - share) * ln(1 / ratio) / ln(next_ratio / ratio)) from pair p
        where p.line = l.line and p.ratio < 1 and p.next_ratio >= 1) as share,
       (select min(ratio) >= 1 from knot k where k.line = l.line) as is_always,
       (select max(share) from knot k where k.line = l.line and k.ratio >= 1) is null as is_never,
       (select min(share) from knot k where k.line = l.line) as least, (select max(share) from knot k where k.line = l.line) as most
from line l;

-- block: points
select l.line, p.share, p.ratio, p.low, p.high, p.is_past from point p join line l using (n_rows, is_prefill) order by l.line, p.share;

-- block: knots
select line, share, ratio from knot order by line, share;

-- block: lines
select c.label || case when c.share is not null then printf(': pays from %.0f %% zeros', 100 * c.share)
                       when c.is_always then printf(': pays at all shares from %.0f %%', 100 * c.least)
                       when c.is_never then printf(': pays at no share up to %.0f %%', 100 * c.most) else '' end as label,
       c.n_rows, c.is_prefill, c.share, case when c.is_always then c.least end as always, case when c.is_never then c.most end as never
from crossing c order by c.line;

-- block: boundary
select is_prefill, n_rows, 100 * share as share,
       case when row_number() over (partition by is_prefill order by n_rows desc) > 1 then '' when is_prefill then 'prefill' else 'decode' end as name
from crossing where share is not null order by is_prefill, n_rows;

-- block: frame
select min(share) as left, max(share) as right, min(ratio) as bottom, max(ratio) as top, min(coalesce(low, ratio)) as low,
       max(coalesce(high, ratio)) as high, max(is_past) as has_past,
       (select min(n_rows) from line) as least_rows, (select max(n_rows) from line) as most_rows,
       (select max(is_always or is_never) from crossing) as has_beyond
from point;
