-- main effect and Shapley share of each optimizer as speed-ups, end to end and in each stage of 1 % or more
-- empty: these runs are not a factorial experiment with a plain cell (assay experiment --design full)

create temp table grouped as
select metric, stage, axes, dense_rank() over (order by case metric when 'e2e_ns' then 0 when 'ttft_ns' then 1
           when 'tpot_ns' then 2 else 3 end, stage, axes) as place,
       case metric when 'e2e_ns' then 'end-to-end time' when 'ttft_ns' then 'time to first token'
           when 'tpot_ns' then 'time per output token' else 'stage ' || stage end
       || case axes when '' then '' else ' ' || axes end as title,
       factor, position, ratio, low, high
from effect
where metric in ('e2e_ns', 'ttft_ns', 'tpot_ns')
   or metric = 'stage_ns' and stage in (select stage from v_ledger join selected using (run_id) group by run_id,
       unit, stage
                                        having sum(share) >= 0.01);

create temp table line as
select *, row_number() over (order by place, position) + place as row from grouped;

-- block: effects
select l.row, l.ratio, l.low, l.high, l.factor as label from line l order by l.row;

-- block: shares
select l.row, s.ratio, s.low, s.high from line l join shapley s
    on s.metric = l.metric and s.stage is l.stage and s.factor = l.factor
       and s.axes = l.axes where s.ratio is not null order by l.row;

-- block: groups
select title as label, min(row) - 1 as row from line group by place order by place;

-- block: frame
select max(row) as last, min(low) as low, max(high) as high from
    (select row, low, high from line
     union all select null, s.low, s.high from shapley s join line l using (metric, factor,
         axes) where s.stage is l.stage);
