-- as: list
with chosen as (select r.* from selected join v_run r using (run_id)),
process as (select p.* from v_process p join selected using (run_id)),
timed as (select run_id, count(*) as n from v_sample join selected using (run_id) where phase = 'timed' group by run_id)
select text from (
    select 0 as place, 'Workload ' || workload || ' on ' || model || ', backend ' || backend || ', type ' || dtype || ', scenario ' || scenario
           || case is_synthetic when 1 then ', SYNTHETIC weights' else '' end
           || case when truncated_layers > 0 then ', TRUNCATED to ' || truncated_layers || ' layers' else '' end || '.' as text
    from chosen group by workload, model, backend, dtype, scenario, is_synthetic, truncated_layers
    union all
    select 1, 'Experiment' || case when coalesce(name, '') = '' then '' else ' ' || name end || ': design ' || design || ' over '
           || coalesce((select group_concat(factor, ', ') from (select factor from v_factor f where f.experiment_id = e.experiment_id
                        order by position)), 'no optimizers')
           || '; ' || n_cells || iif(n_cells = 1, ' cell in ', ' cells in ') || n_blocks || iif(n_blocks = 1, ' block', ' blocks') || ', the order drawn from seed ' || seed || '.'
    from v_experiment e where experiment_id in (select experiment_id from chosen) and design <> 'single'
    union all
    select 2, count(*) || ' fresh processes, which are the statistical unit; '
           || (select sum(n) || ' timed samples (' || min(n) || ' to ' || max(n) || ' a cell)' from timed)
           || ', taken without instrumentation after warm-up.'
    from process having count(*)
    union all
    select 3, 'Preparing took ' || as_time(median) || ' at the median; it is in no sample. From the start of a process to its first token: '
           || coalesce(as_time(first), 'unknown') || '.'
    from (select avg(prepare_ns) as median, avg(first) as first from (
              select prepare_ns, first_token_ns as first, row_number() over (order by prepare_ns) as k, count(*) over () as n
              from process where prepare_ns is not null) where k in ((n + 1) / 2, (n + 2) / 2)) where median is not null
    union all
    select 4, 'Where the time goes comes from a separate profiled pass; it took ' || as_ratio(min(ratio), null, null)
           || case when max(ratio) > min(ratio) then ' to ' || as_ratio(max(ratio), null, null) else '' end || ' of the timed one.'
    from v_perturbation join selected using (run_id) having count(*)
    union all
    select 4, 'Captured launches were timed as wholes and their time shared out as a pass by operations found it, which took up to '
           || as_ratio(max(by_operation), null, null) || ' of the timed one.'
    from v_perturbation join selected using (run_id) having count(by_operation)
    union all
    select 4, s.label || ': read from ' || e.value || coalesce(', recorded ' || (select value from v_environment t where t.run_id = s.run_id and t.key = 'trace.recorded'), '')
           || '; ' || (select count(*) || iif(count(*) = 1, ' sample', ' samples') from v_sample x where x.run_id = s.run_id)
           || ', with whatever its profiler cost. Time of the devices goes to the stage whose host call launched the work.'
    from selected s join v_environment e using (run_id) where e.key = 'trace.format'
    union all
    select 5, 'Medians and effects carry 95 % intervals, speed-ups against the plain cell 99 %. A verdict is faster, slower, equivalent (within 2 %) or inconclusive.')
where text is not null order by place;
