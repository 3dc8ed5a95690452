/* version1.c: the tables and views of format version 1. A version that was released never changes: what is new is
 * a new migration. Views are documented in results/README.md. */
#include "results/store/version1.h"

#include <stddef.h>

/* Facts are kept once for each distinct set; its identity is a hash of the facts. */
#define FACTS_SQL \
    "CREATE TABLE machine(machine_id TEXT PRIMARY KEY) STRICT", \
    "CREATE TABLE machine_fact(machine_id TEXT NOT NULL REFERENCES machine, key TEXT NOT NULL, value TEXT NOT NULL,\n" \
    "    PRIMARY KEY(machine_id, key)) STRICT, WITHOUT ROWID", \
    "CREATE TABLE environment(environment_id TEXT PRIMARY KEY) STRICT", \
    "CREATE TABLE environment_fact(environment_id TEXT NOT NULL REFERENCES environment, key TEXT NOT NULL,\n" \
    "    value TEXT NOT NULL, PRIMARY KEY(environment_id, key)) STRICT, WITHOUT ROWID"

#define EXPERIMENT_SQL \
    "CREATE TABLE experiment(experiment_id TEXT PRIMARY KEY, name TEXT NOT NULL, workload TEXT NOT NULL,\n" \
    "    design TEXT NOT NULL, spec_json TEXT NOT NULL, seed INTEGER NOT NULL, n_blocks INTEGER NOT NULL,\n" \
    "    created_unix_ns INTEGER NOT NULL) STRICT", \
    "CREATE TABLE factor(experiment_id TEXT NOT NULL REFERENCES experiment, position INTEGER NOT NULL,\n" \
    "    factor TEXT NOT NULL, PRIMARY KEY(experiment_id, position)) STRICT, WITHOUT ROWID", \
    "CREATE TABLE cell(experiment_id TEXT NOT NULL REFERENCES experiment, cell INTEGER NOT NULL,\n" \
    "    mask INTEGER NOT NULL, label TEXT NOT NULL, axes_json TEXT NOT NULL,\n" \
    "    PRIMARY KEY(experiment_id, cell)) STRICT, WITHOUT ROWID", \
    "CREATE TABLE run(run_id TEXT PRIMARY KEY, experiment_id TEXT NOT NULL, cell INTEGER NOT NULL,\n" \
    "    machine_id TEXT NOT NULL REFERENCES machine, environment_id TEXT NOT NULL REFERENCES environment,\n" \
    "    workload TEXT NOT NULL, model TEXT NOT NULL, backend TEXT NOT NULL, dtype TEXT NOT NULL,\n" \
    "    scenario TEXT NOT NULL, label TEXT NOT NULL, spec_json TEXT NOT NULL, spec_hash TEXT NOT NULL,\n" \
    "    comparability TEXT NOT NULL, comparability_json TEXT NOT NULL,\n" \
    "    is_synthetic INTEGER NOT NULL CHECK(is_synthetic IN (0, 1)), truncated_layers INTEGER NOT NULL,\n" \
    "    state TEXT NOT NULL CHECK(state IN ('running', 'ok', 'noisy', 'invalid', 'skipped', 'failed',\n" \
    "        'interrupted')), reason TEXT, created_unix_ns INTEGER NOT NULL, finished_unix_ns INTEGER,\n" \
    "    UNIQUE(experiment_id, cell), FOREIGN KEY(experiment_id, cell) REFERENCES cell) STRICT", \
    "CREATE INDEX run_by_time ON run(created_unix_ns)", \
    "CREATE TABLE warning(run_id TEXT NOT NULL REFERENCES run, position INTEGER NOT NULL, text TEXT NOT NULL,\n" \
    "    PRIMARY KEY(run_id, position)) STRICT, WITHOUT ROWID"

/* A process begun again after an interruption leaves its forerunner `abandoned`, outside the uniqueness. */
#define SAMPLE_SQL \
    "CREATE TABLE process(process_id INTEGER PRIMARY KEY, run_id TEXT NOT NULL REFERENCES run,\n" \
    "    experiment_id TEXT NOT NULL, cell INTEGER NOT NULL, block INTEGER NOT NULL,\n" \
    "    order_in_block INTEGER NOT NULL, pid INTEGER, state TEXT NOT NULL\n" \
    "        CHECK(state IN ('running', 'finished', 'abandoned')), start_unix_ns INTEGER, prepare_ns INTEGER,\n" \
    "    load_ns INTEGER, first_token_ns INTEGER, FOREIGN KEY(experiment_id, cell) REFERENCES cell) STRICT", \
    "CREATE UNIQUE INDEX process_identity ON process(experiment_id, cell, block, order_in_block)\n" \
    "    WHERE state <> 'abandoned'", \
    "CREATE INDEX process_by_run ON process(run_id)", \
    "CREATE TABLE sample(sample_id INTEGER PRIMARY KEY, process_id INTEGER NOT NULL REFERENCES process,\n" \
    "    phase TEXT NOT NULL CHECK(phase IN ('warmup', 'timed', 'profiled')), sample INTEGER NOT NULL,\n" \
    "    start_ns INTEGER, wall_ns INTEGER, UNIQUE(process_id, phase, sample)) STRICT", \
    "CREATE TABLE metric(metric_id INTEGER PRIMARY KEY, metric TEXT NOT NULL UNIQUE) STRICT", \
    "CREATE TABLE value(sample_id INTEGER NOT NULL REFERENCES sample, metric_id INTEGER NOT NULL REFERENCES metric,\n" \
    "    position INTEGER NOT NULL, value REAL, PRIMARY KEY(sample_id, metric_id, position)) STRICT, WITHOUT ROWID"

#define PROFILE_SQL \
    "CREATE TABLE ledger(ledger_id INTEGER PRIMARY KEY, process_id INTEGER NOT NULL REFERENCES process,\n" \
    "    sample INTEGER NOT NULL, wall_ns REAL NOT NULL, is_complete INTEGER NOT NULL, reason TEXT,\n" \
    "    UNIQUE(process_id, sample)) STRICT", \
    "CREATE TABLE ledger_line(ledger_id INTEGER NOT NULL REFERENCES ledger, line INTEGER NOT NULL,\n" \
    "    unit TEXT NOT NULL, stage TEXT, category TEXT NOT NULL, ns REAL, flop REAL, bytes REAL,\n" \
    "    ceiling_share REAL, ceiling TEXT, launches INTEGER, PRIMARY KEY(ledger_id, line)) STRICT, WITHOUT ROWID", \
    "CREATE TABLE ledger_unit(ledger_id INTEGER NOT NULL REFERENCES ledger, unit TEXT NOT NULL,\n" \
    "    PRIMARY KEY(ledger_id, unit)) STRICT, WITHOUT ROWID", \
    "CREATE TABLE op(ledger_id INTEGER NOT NULL REFERENCES ledger, line INTEGER NOT NULL, stage TEXT,\n" \
    "    op TEXT NOT NULL, category TEXT NOT NULL, place TEXT, calls INTEGER, ns REAL, flop REAL, bytes REAL,\n" \
    "    PRIMARY KEY(ledger_id, line)) STRICT, WITHOUT ROWID", \
    "CREATE TABLE word(word_id INTEGER PRIMARY KEY, word TEXT NOT NULL UNIQUE) STRICT", \
    "CREATE TABLE span(run_id TEXT NOT NULL REFERENCES run, span INTEGER NOT NULL,\n" \
    "    name INTEGER NOT NULL REFERENCES word, category INTEGER REFERENCES word, stage INTEGER REFERENCES word,\n" \
    "    unit INTEGER NOT NULL, lane INTEGER NOT NULL, step INTEGER NOT NULL, start_ns INTEGER NOT NULL,\n" \
    "    duration_ns INTEGER NOT NULL, PRIMARY KEY(run_id, span)) STRICT, WITHOUT ROWID"

#define FINDING_SQL \
    "CREATE TABLE receipt(run_id TEXT NOT NULL REFERENCES run, optimizer TEXT NOT NULL, settings TEXT NOT NULL,\n" \
    "    verdict TEXT NOT NULL CHECK(verdict IN ('ENGAGED', 'NO-OP', 'FALLBACK', 'UNVERIFIED')),\n" \
    "    evidence TEXT, PRIMARY KEY(run_id, optimizer)) STRICT, WITHOUT ROWID", \
    "CREATE TABLE fidelity(run_id TEXT PRIMARY KEY REFERENCES run, class TEXT NOT NULL\n" \
    "        CHECK(class IN ('exact', 'same choices', 'reordered', 'lossy')), error REAL, plain_error REAL,\n" \
    "    bound REAL, is_ok INTEGER NOT NULL CHECK(is_ok IN (0, 1)), detail TEXT) STRICT", \
    "CREATE TABLE quality(run_id TEXT NOT NULL REFERENCES run, name TEXT NOT NULL, unit TEXT, value REAL,\n" \
    "    n INTEGER, detail TEXT, PRIMARY KEY(run_id, name)) STRICT, WITHOUT ROWID", \
    "CREATE TABLE memory(run_id TEXT NOT NULL REFERENCES run, class TEXT NOT NULL, bytes REAL,\n" \
    "    PRIMARY KEY(run_id, class)) STRICT, WITHOUT ROWID", \
    "CREATE TABLE perturbation(run_id TEXT PRIMARY KEY REFERENCES run, ratio REAL, low REAL, high REAL, by_operation REAL) STRICT", \
    "CREATE TABLE output(run_id TEXT NOT NULL REFERENCES run, request INTEGER NOT NULL, tokens_json " \
    "TEXT, text TEXT,\n" \
    "    PRIMARY KEY(run_id, request)) STRICT, WITHOUT ROWID"

#define MACHINE_SQL \
    "CREATE TABLE ceiling_set(set_id TEXT PRIMARY KEY, machine_id TEXT NOT NULL REFERENCES machine,\n" \
    "    created_unix_ns INTEGER NOT NULL, noise REAL) STRICT", \
    "CREATE INDEX ceiling_set_by_machine ON ceiling_set(machine_id, created_unix_ns)", \
    "CREATE TABLE ceiling(set_id TEXT NOT NULL REFERENCES ceiling_set, line INTEGER NOT NULL, kind TEXT NOT NULL,\n" \
    "    unit TEXT NOT NULL, pattern TEXT, threads INTEGER NOT NULL, working_set_bytes REAL, value REAL, low REAL,\n" \
    "    high REAL, PRIMARY KEY(set_id, line)) STRICT, WITHOUT ROWID", \
    "CREATE TABLE cache(key TEXT PRIMARY KEY, value BLOB NOT NULL, created_unix_ns INTEGER NOT NULL) STRICT"

#define RUN_VIEWS_SQL \
    "CREATE VIEW v_experiment AS\n" \
    "SELECT x.experiment_id, x.name, x.workload, x.design, x.spec_json, x.seed, x.n_blocks, x.created_unix_ns,\n" \
    "    (SELECT count(*) FROM factor f WHERE f.experiment_id = x.experiment_id) AS n_factors,\n" \
    "    (SELECT count(*) FROM cell c WHERE c.experiment_id = x.experiment_id) AS n_cells,\n" \
    "    (SELECT count(*) FROM run r WHERE r.experiment_id = x.experiment_id\n" \
    "        AND r.state NOT IN ('running', 'interrupted')) AS n_finished\n" \
    "FROM experiment x", \
    "CREATE VIEW v_factor AS SELECT experiment_id, position, factor FROM factor", \
    "CREATE VIEW v_cell AS\n" \
    "SELECT c.experiment_id, c.cell, c.mask, c.label, c.axes_json, r.run_id, r.state, r.reason\n" \
    "FROM cell c LEFT JOIN run r USING (experiment_id, cell)", \
    "CREATE VIEW v_run AS\n" \
    "SELECT r.run_id, r.experiment_id, x.name AS experiment, x.design, r.cell, c.mask, c.axes_json, " \
    "r.label, r.workload,\n" \
    "    r.model, r.backend, r.dtype, r.scenario, r.state, r.reason, r.is_synthetic, " \
    "r.truncated_layers, r.machine_id,\n" \
    "    r.environment_id, r.spec_json, r.spec_hash, r.comparability, r.comparability_json, r.created_unix_ns,\n" \
    "    r.finished_unix_ns,\n" \
    "    (SELECT count(*) FROM process p WHERE p.run_id = r.run_id AND p.state <> 'abandoned') AS n_processes,\n" \
    "    (SELECT count(*) FROM process p JOIN sample USING (process_id) WHERE p.run_id = r.run_id\n" \
    "        AND p.state <> 'abandoned' AND phase = 'timed') AS n_samples\n" \
    "FROM run r JOIN experiment x USING (experiment_id) JOIN cell c USING (experiment_id, cell)", \
    "CREATE VIEW v_warning AS SELECT run_id, position, text FROM warning", \
    "CREATE VIEW v_machine AS SELECT machine_id, key, value FROM machine_fact", \
    "CREATE VIEW v_environment AS\n" \
    "SELECT r.run_id, 'machine' AS source, f.key, f.value FROM run r JOIN machine_fact f USING (machine_id)\n" \
    "UNION ALL\n" \
    "SELECT r.run_id, 'environment', f.key, f.value FROM run r JOIN environment_fact f USING (environment_id)"

/* Among the metrics is the sample's wall_ns. Values that are unknown leave the medians alone. What a reader filters by
 * is a column to partition by, so that SQLite looks at that experiment or run alone; for the same reason the median
 * is picked by windows and not by grouping. */
#define SAMPLE_VIEWS_SQL \
    "CREATE VIEW v_process AS\n" \
    "SELECT process_id, run_id, experiment_id, cell, block, order_in_block, pid, state, start_unix_ns, prepare_ns,\n" \
    "    load_ns, first_token_ns FROM process", \
    "CREATE VIEW v_sample AS\n" \
    "SELECT p.run_id, s.process_id, p.block, s.phase, s.sample, s.start_ns, s.wall_ns\n" \
    "FROM process p JOIN sample s USING (process_id) WHERE p.state <> 'abandoned'", \
    "CREATE VIEW v_metric_sample AS\n" \
    "SELECT p.experiment_id, p.cell, p.run_id, s.process_id, p.block, s.phase, s.sample, m.metric, v.position,\n" \
    "    v.value\n" \
    "FROM process p JOIN sample s USING (process_id) JOIN value v USING (sample_id) JOIN metric m USING (metric_id)\n" \
    "WHERE p.state <> 'abandoned'", \
    "CREATE VIEW v_process_metric AS\n" \
    "SELECT experiment_id, cell, run_id, process_id, block, metric, n,\n" \
    "    CASE WHEN n % 2 THEN value ELSE (value + next) / 2 END AS median FROM (\n" \
    "    SELECT experiment_id, cell, run_id, process_id, block, metric, value,\n" \
    "        row_number() OVER ascending AS k, lead(value) OVER ascending AS next,\n" \
    "        count(*) OVER (PARTITION BY experiment_id, cell, run_id, process_id, block, metric) AS n\n" \
    "    FROM v_metric_sample WHERE phase = 'timed' AND value IS NOT NULL\n" \
    "    WINDOW ascending AS (PARTITION BY experiment_id, cell, run_id, process_id, block, metric ORDER BY value))\n" \
    "WHERE k = (n + 1) / 2"

/* A run's ledger: the mean over its ledgers, unit by unit; a line that one of them lacks counts as 0 there, so that
 * the lines still sum to the mean wall time. */
#define PROFILE_VIEWS_SQL \
    "CREATE VIEW v_process_ledger AS\n" \
    "SELECT p.run_id, l.process_id, p.block, l.sample, l.wall_ns, l.is_complete, l.reason, i.line, i.unit, i.stage,\n" \
    "    i.category, i.ns, i.flop, i.bytes, i.ceiling_share, i.ceiling, i.launches\n" \
    "FROM process p JOIN ledger l USING (process_id) JOIN ledger_line i USING (ledger_id)\n" \
    "WHERE p.state <> 'abandoned'", \
    "CREATE VIEW v_ledger AS\n" \
    "SELECT l.run_id, l.unit, l.stage, l.category, l.line, l.ns / u.n AS ns, u.wall_ns,\n" \
    "    l.ns / u.n / nullif(u.wall_ns, 0) AS share, l.flop / u.n AS flop, l.bytes / u.n AS bytes, l.ceiling_share,\n" \
    "    l.ceiling, 1.0 * l.launches / u.n AS launches, u.n AS n_ledgers, u.is_complete, u.reason\n" \
    "FROM (SELECT run_id, unit, stage, category, min(line) AS line, sum(ns) AS ns, sum(flop) AS flop,\n" \
    "        sum(bytes) AS bytes, sum(launches) AS launches, max(ceiling) AS ceiling, sum(ceiling_share * ns)\n" \
    "        / nullif(sum(CASE WHEN ceiling_share IS NOT NULL THEN ns END), 0) AS ceiling_share\n" \
    "    FROM v_process_ledger GROUP BY run_id, unit, stage, category) l\n" \
    "JOIN (SELECT p.run_id, g.unit, count(*) AS n, avg(e.wall_ns) AS wall_ns, min(e.is_complete) AS is_complete,\n" \
    "        max(e.reason) AS reason\n" \
    "    FROM process p JOIN ledger e USING (process_id) JOIN ledger_unit g USING (ledger_id)\n" \
    "    WHERE p.state <> 'abandoned' GROUP BY p.run_id, g.unit) u ON u.run_id = l.run_id AND u.unit = l.unit", \
    "CREATE VIEW v_op AS\n" \
    "SELECT o.run_id, o.stage, o.op, o.category, o.place, 1.0 * o.calls / f.n AS calls, o.ns / f.n AS ns,\n" \
    "    o.flop / f.n AS flop, o.bytes / f.n AS bytes\n" \
    "FROM (SELECT p.run_id, o.stage, o.op, o.category, o.place, sum(o.calls) AS calls, sum(o.ns) AS ns,\n" \
    "        sum(o.flop) AS flop, sum(o.bytes) AS bytes\n" \
    "    FROM process p JOIN ledger l USING (process_id) JOIN op o USING (ledger_id)\n" \
    "    WHERE p.state <> 'abandoned' GROUP BY p.run_id, o.stage, o.op, o.category, o.place) o\n" \
    "JOIN (SELECT p.run_id, count(*) AS n FROM process p JOIN ledger l USING (process_id)\n" \
    "    WHERE p.state <> 'abandoned' AND l.ledger_id IN (SELECT ledger_id FROM op) GROUP BY p.run_id) f\n" \
    "    ON f.run_id = o.run_id", \
    "CREATE VIEW v_span AS\n" \
    "SELECT s.run_id, s.span, n.word AS name, c.word AS category, g.word AS stage, s.unit, s.lane, " \
    "s.step, s.start_ns,\n" \
    "    s.duration_ns\n" \
    "FROM span s JOIN word n ON n.word_id = s.name LEFT JOIN word c ON c.word_id = s.category\n" \
    "    LEFT JOIN word g ON g.word_id = s.stage", \
    "CREATE VIEW v_effect_input AS\n" \
    "SELECT m.experiment_id, c.axes_json, c.cell, c.mask, m.run_id, r.state, m.process_id, m.block, m.metric,\n" \
    "    NULL AS stage, m.median AS value\n" \
    "FROM v_process_metric m JOIN cell c USING (experiment_id, cell) JOIN run r ON r.run_id = m.run_id\n" \
    "UNION ALL\n" \
    "SELECT p.experiment_id, c.axes_json, c.cell, c.mask, p.run_id, r.state, p.process_id, p.block, 'stage_ns',\n" \
    "    l.stage, sum(l.ns) / count(DISTINCT e.sample || ' ' || l.unit)\n" \
    "FROM process p JOIN ledger e ON e.process_id = p.process_id JOIN ledger_line l ON l.ledger_id = e.ledger_id\n" \
    "    JOIN cell c ON c.experiment_id = p.experiment_id AND c.cell = p.cell JOIN run r ON r.run_id = p.run_id\n" \
    "WHERE p.state <> 'abandoned' AND l.stage IS NOT NULL\n" \
    "GROUP BY p.experiment_id, p.process_id, l.stage"

/* A run's ceilings are those measured last before it ended, else the first ones after. */
#define FINDING_VIEWS_SQL \
    "CREATE VIEW v_receipt AS SELECT run_id, optimizer, settings, verdict, evidence FROM receipt", \
    "CREATE VIEW v_fidelity AS SELECT run_id, class, error, plain_error, bound, is_ok, detail FROM fidelity", \
    "CREATE VIEW v_quality AS SELECT run_id, name, unit, value, n, detail FROM quality", \
    "CREATE VIEW v_memory AS SELECT run_id, class, bytes FROM memory", \
    "CREATE VIEW v_perturbation AS SELECT run_id, ratio, low, high, by_operation FROM perturbation", \
    "CREATE VIEW v_output AS SELECT run_id, request, tokens_json, text FROM output", \
    "CREATE VIEW v_ceiling_set AS\n" \
    "SELECT t.set_id, t.machine_id, t.created_unix_ns, t.noise, c.line, c.kind, c.unit, c.pattern, c.threads,\n" \
    "    c.working_set_bytes, c.value, c.low, c.high\n" \
    "FROM ceiling_set t JOIN ceiling c USING (set_id)", \
    "CREATE VIEW v_ceiling AS\n" \
    "SELECT r.run_id, t.set_id, t.created_unix_ns, t.noise, c.line, c.kind, c.unit, c.pattern, c.threads,\n" \
    "    c.working_set_bytes, c.value, c.low, c.high\n" \
    "FROM run r JOIN ceiling_set t ON t.set_id = (\n" \
    "    SELECT s.set_id FROM ceiling_set s JOIN run q ON q.run_id = r.run_id AND q.machine_id = s.machine_id\n" \
    "    ORDER BY s.created_unix_ns <= coalesce(q.finished_unix_ns, 9223372036854775807) DESC,\n" \
    "        abs(s.created_unix_ns - coalesce(q.finished_unix_ns, 9223372036854775807)) LIMIT 1)\n" \
    "JOIN ceiling c ON c.set_id = t.set_id"

const char *const schema_version1[] = {
    FACTS_SQL,       EXPERIMENT_SQL,   SAMPLE_SQL,        PROFILE_SQL,       FINDING_SQL, MACHINE_SQL,
    RUN_VIEWS_SQL,   SAMPLE_VIEWS_SQL, PROFILE_VIEWS_SQL, FINDING_VIEWS_SQL, NULL,
};
