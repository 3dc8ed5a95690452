-- what speed costs: end-to-end speed-up over the divergence from the plain form's distributions, with the Pareto front
-- empty: no selected run has both a speed-up and a divergence from the plain form (assay experiment with --opt, profiled and checked)

-- The plain cell diverges from itself by nothing. A run past its fidelity bound is shown, and never on the front.
create temp table every as
select c.run_id, c.base_id, c.ratio, c.low, c.high, 0 as is_past from comparison c where c.metric = 'e2e_ns' and c.is_engaged
union all
select c.run_id, c.base_id, c.ratio, c.low, c.high, 1 from past_bound c where c.metric = 'e2e_ns' and c.is_engaged;

create temp table point as
select row_number() over (order by k.kl, e.ratio desc, s.position) as number, s.run_id, s.label, e.base_id, e.is_past, e.ratio, e.low, e.high, k.kl,
       json(r.axes_json) as axes,
       coalesce((select group_concat(optimizer, '+') from (select optimizer from v_receipt p where p.run_id = s.run_id order by optimizer)), 'plain') as kind
from every e join selected s using (run_id) join v_run r using (run_id)
join (select run_id, max(0, iif(run_id = base_id, 0, (select value from v_quality q where q.run_id = every.run_id and q.name = 'kl_from_plain'))) as kl
      from every) k using (run_id)
where e.ratio is not null and k.kl is not null
    and exists (select 1 from every x join v_quality q using (run_id) where q.name = 'kl_from_plain');

create temp table kind as
select kind, row_number() over (order by kind <> 'plain', min(number)) as series from point group by kind;

-- Nothing of the same axes is both as near to the plain form and as fast.
create temp table front as
select number, axes, kl, ratio from point p where not is_past and not exists (
    select 1 from point q where not q.is_past and q.axes = p.axes and q.kl <= p.kl and q.ratio >= p.ratio
        and (q.kl < p.kl or q.ratio > p.ratio));

-- block: points
select p.number, k.series, p.kl, p.ratio, p.low, p.high, p.is_past, p.number in (select number from front) as is_front, p.label
from point p join kind k using (kind) order by p.number;

-- A value and, where there is one, its difference from the plain cell's.
-- block: notes
select p.number, printf('×%.2f', p.ratio) || iif(p.low is null, '', iif(p.high > 10 * p.ratio, ' [wider than ×10]', printf(' [%.2f, %.2f]', p.low, p.high))) as speed,
       iif(p.run_id = p.base_id, '0', printf('%.2g', p.kl)) as kl,
       coalesce((select printf('%.3f', q.value) || iif(b.value is null or p.run_id = p.base_id, '', printf(' (%+.3f)', q.value - b.value))
        from v_quality q left join v_quality b on b.run_id = p.base_id and b.name = q.name where q.run_id = p.run_id and q.name = 'nll'), '–') as nll,
       coalesce((select printf('%.1f %%', 100 * q.value) from v_quality q where q.run_id = p.run_id and q.name = 'top1_as_plain'), '–') as top1,
       coalesce((select printf('%d of %d', round(q.value * q.n), q.n) from v_quality q where q.run_id = p.run_id and q.name = 'cloze_accuracy'), '–') as cloze
from point p order by p.number;

-- block: stairs
select dense_rank() over (order by axes) as line, kl, ratio from (
    select axes, kl, ratio from front union all select axes, (select max(kl) from point), max(ratio) from front group by axes)
order by line, kl, ratio;

-- block: fronts
select dense_rank() over (order by axes) as line, max(kl) as kl, max(ratio) as ratio,
       coalesce((select group_concat(key || '=' || value, ' ') from json_each(axes)), '') as label from front group by axes order by line;

-- The scale begins at the decade under the least divergence of a lossy run; what is nearer to the plain form stands at its edge.
-- block: frame
select coalesce(min(iif(f.class = 'lossy' and p.kl > 1e-6, p.kl, null)), max(1e-6, max(p.kl))) as least, max(p.kl) as most,
       min(p.ratio) as bottom, max(p.ratio) as top, min(coalesce(p.low, p.ratio)) as low, max(coalesce(p.high, p.ratio)) as high,
       max(p.is_past) as has_past
from point p left join v_fidelity f using (run_id);
