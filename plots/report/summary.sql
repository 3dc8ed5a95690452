-- as: list
-- empty: No run of this selection has a value yet.
with base as (
    select s.run_id, s.label, s.position, c.ratio, c.low, c.high, c.verdict,
           row_number() over (order by c.ratio desc) as k
    from selected s join comparison c using (run_id) where c.metric = 'e2e_ns' and c.is_engaged and c.ratio is not null and s.state in ('ok', 'noisy')),
alone as (
    select f.position as bit, b.*
    from v_factor f join v_run r on r.experiment_id = f.experiment_id and r.mask = 1 << f.position join base b using (run_id)),
found as (
    select run_id,
           coalesce('; receipt ' || (select group_concat(optimizer || ' ' || verdict, ', ') from v_receipt p where p.run_id = s.run_id), '')
           || coalesce('; fidelity ' || b.fidelity, '') || coalesce('; ' || b.quality, '') as words
    from selected s left join beside b using (run_id))
select text from (
    select 0 as place, 0 as sub, 'Best of ' || (select count(*) from selected) || ' cells, of which ' || (select count(*) from base) || ' have a receipt and a value: ' || label || ', ' || as_ratio(ratio, low, high)
           || ' against the plain form, end to end (' || verdict || ')' || words || '.' as text
    from base join found using (run_id) where k = 1 and verdict = 'faster'
    union all
    select 0, 0, 'No cell is shown to be faster than the plain form, end to end.'
    where exists (select 1 from base where verdict is not null) and not exists (select 1 from base where verdict = 'faster')
    union all
    select 1, 1000 * bit + position, label || case verdict when 'faster' then ' pays' when 'slower' then ' costs' when 'equivalent' then ' changes nothing'
           else ': not decided' end || ' on its own: ' || as_ratio(ratio, low, high) || ' (' || verdict || ')' || words || '.'
    from alone join found using (run_id)
    union all
    select 2, s.position, s.label || ': ' || as_metric(i.metric) || ' ' || as_span(i.median, i.low, i.high, i.unit) || words || '.'
    from selected s join interval i using (run_id) join found using (run_id)
    where i.metric in ('e2e_ns', 'ttft_ns', 'decode_tokens_per_s') and not exists (select 1 from base where verdict is not null)
    union all
    select 3, position, label || ': ' || unit || ' works ' || as_percent(busy) || ' of ' || as_time(wall_ns) || ' (mean of the profiled samples). It is idle '
           || as_percent(late) || ' because the host is late, ' || as_percent(queued) || ' for dependencies, ' || as_percent(sync)
           || ' for synchronisation' || case when unknown > 0 then ', ' || as_percent(unknown) || ' for reasons that are not recorded' else '' end || '.'
    from (select s.position, s.label, l.unit, max(l.wall_ns) as wall_ns, total(iif(l.category glob 'idle:*' or l.category = 'residual', 0, l.share)) as busy,
                 total(iif(l.category in ('idle:host', 'idle:call'), l.share, 0)) as late, total(iif(l.category = 'idle:queued', l.share, 0)) as queued,
                 total(iif(l.category = 'idle:sync', l.share, 0)) as sync, total(iif(l.category in ('idle:unknown', 'residual'), l.share, 0)) as unknown
          from selected s join v_ledger l using (run_id) join v_run r using (run_id) where r.backend = 'external' group by s.position, l.unit))
where text is not null order by place, sub;
