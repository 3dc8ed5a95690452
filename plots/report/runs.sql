-- note: assay show ID prints a run, assay export ID its raw samples, assay plot FIGURE ID… draws the figures again.
select s.label as cell, s.run_id as run, s.state, r.reason, r.n_processes as "#processes", r.n_samples as "#samples",
       as_date(r.created_unix_ns) as began, r.experiment_id as experiment
from selected s join v_run r using (run_id) order by s.position;
