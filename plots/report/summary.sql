-- as: list
-- empty: No run of this selection has a value yet.
with base as (
    select s.run_id, s.label, s.position, c.ratio, c.low, c.high, c.verdict,
           row_number() over (order by c.ratio desc) as k
    from selected s join comparison c using (run_id) where c.metric = 'e2e_ns' and c.is_engaged and c.ratio is not null and s.state in ('ok', 'noisy')),
alone as (
    select f.position as bit, b.*
    from v_factor f join v_run r on r.experiment_id = f.experiment_id and r.mask = 1 << f.position join base b using (run_id)),
beside as (
    select run_id,
           coalesce('; receipt ' || (select group_concat(optimizer || ' ' || verdict, ', ') from v_receipt p where p.run_id = s.run_id), '')
           || coalesce('; fidelity ' || (select class || case is_ok when 1 then ', within its bound' else ', NOT WITHIN ITS BOUND' end
                                         from v_fidelity d where d.run_id = s.run_id), '')
           || coalesce((select '; ' || group_concat(name || ' ' || printf('%.5g ', value) || unit, ', ') from v_quality q
                        where q.run_id = s.run_id), '') as words
    from selected s)
select text from (
    select 0 as place, 0 as sub, 'Best of ' || (select count(*) from selected) || ' cells, of which ' || (select count(*) from base) || ' have a receipt and a value: ' || label || ', ' || as_ratio(ratio, low, high)
           || ' against the plain form, end to end (' || verdict || ')' || words || '.' as text
    from base join beside using (run_id) where k = 1 and verdict = 'faster'
    union all
    select 0, 0, 'No cell is shown to be faster than the plain form, end to end.'
    where exists (select 1 from base where verdict is not null) and not exists (select 1 from base where verdict = 'faster')
    union all
    select 1, 1000 * bit + position, label || case verdict when 'faster' then ' pays' when 'slower' then ' costs' when 'equivalent' then ' changes nothing'
           else ': not decided' end || ' on its own: ' || as_ratio(ratio, low, high) || ' (' || verdict || ')' || words || '.'
    from alone join beside using (run_id)
    union all
    select 2, s.position, s.label || ': ' || as_metric(i.metric) || ' ' || as_span(i.median, i.low, i.high, i.unit) || words || '.'
    from selected s join interval i using (run_id) join beside using (run_id)
    where i.metric in ('e2e_ns', 'ttft_ns', 'decode_tokens_per_s') and not exists (select 1 from base where verdict is not null))
where text is not null order by place, sub;
