/* store.h: one SQLite file that only grows: every raw sample is a row, every summary is a view.
 *
 * Writing: records of results/model.h go in; each call is one transaction, so that what returned STATUS_OK survives
 * a killed process. The log is written ahead (WAL) with synchronous=NORMAL: a crash of the program loses nothing, a
 * loss of power may lose the last transactions but never damages the file, and no call waits for the disk to flush
 * between two samples. One process writes; a forked child must neither use nor close its copy of a store.
 *
 * Reading: only the views (v_run, v_metric_sample, …; listed column by column in results/README.md). Tables may
 * change with the version of the format, views keep their columns.
 *
 * Numbers that are not finite are stored as NULL, as are integers of -1 where model.h says "-1 unknown".
 * Errors of every function, unless said otherwise: STORE with one of these causes in words: no such file or folder,
 * not a database, not one of Assay's, of a newer version, read-only, locked, full, damaged. */
#ifndef ASSAY_RESULTS_STORE_STORE_H
#define ASSAY_RESULTS_STORE_STORE_H

#include <sqlite3.h>
#include <stddef.h>

#include "kernels/base/memory.h"
#include "kernels/base/status.h"
#include "results/model.h"

struct store;

enum store_mode {
    STORE_READ,  /* the file must exist; works in folders that cannot be written too */
    STORE_WRITE, /* makes the file where there is none, and brings an older version up to date */
};
enum status store_open(const char *path, enum store_mode mode, struct store **out, struct error *e);
void store_close(struct store *s);
/* For reading the views; borrowed. */
sqlite3 *store_reader(struct store *s);
/* The text of the last failure of `db` as a STORE error that names the file. */
enum status store_error(struct store *s, struct error *e);

/* A new identity from the system's random numbers. Errors: IO. */
enum status id_draw(struct id *out, struct error *e);

/* ---- an experiment, its cells, its runs ---- */

enum status store_experiment_begin(struct store *s, const struct experiment_record *r, struct error *e);
enum status store_cell(struct store *s, const struct id *experiment, const struct cell_record *r, struct error *e);
/* The run begins in state `running`. One run a cell: a second one is refused (store_run_reopen goes on with it). */
enum status store_run_begin(struct store *s, const struct run_record *r, const struct machine_record *machine,
                            const struct environment_record *environment, struct error *e);
/* `reason` may be NULL. Processes that still run become finished where the state is neither failed nor interrupted. */
enum status store_run_finish(struct store *s, const struct id *run, enum run_state state, const char *reason,
                             struct error *e);
enum status store_warning(struct store *s, const struct id *run, const char *text, struct error *e);

/* ---- a process, its samples ---- */

/* STORE where (experiment, cell, block, order) was measured already. `process` is the handle of the calls below. */
enum status store_process_begin(struct store *s, const struct id *run, const struct process_record *r,
                                int64_t *process, struct error *e);
enum status store_process_finish(struct store *s, int64_t process, struct error *e);
/* It gave up: its samples stay in the file but leave the views, and its place may be measured again. */
enum status store_process_abandon(struct store *s, int64_t process, struct error *e);
/* Adds the metric wall_ns to the values. */
enum status store_sample(struct store *s, int64_t process, const struct sample_record *r, struct error *e);
/* Of the profiled sample with this index in its process. Views give the mean over all ledgers of a run, in which
 * the lines of a unit still sum to wall_ns. */
enum status store_ledger(struct store *s, int64_t process, int sample, const struct ledger_record *r, struct error *e);
/* Under the ledger of the same sample, which comes first. */
enum status store_ops(struct store *s, int64_t process, int sample, const struct op_line *lines, int n,
                      struct error *e);

/* ---- what is found once a run; a second record of the same name replaces the first ---- */

enum status store_receipt(struct store *s, const struct id *run, const struct receipt_record *r, struct error *e);
enum status store_fidelity(struct store *s, const struct id *run, const struct fidelity_record *r, struct error *e);
enum status store_quality(struct store *s, const struct id *run, const struct quality_record *r, struct error *e);
enum status store_memory(struct store *s, const struct id *run, const struct memory_record *r, struct error *e);
enum status store_perturbation(struct store *s, const struct id *run, const struct perturbation_record *r,
                               struct error *e);
enum status store_output(struct store *s, const struct id *run, const struct output_record *r, struct error *e);
/* Replaces the run's spans. */
enum status store_spans(struct store *s, const struct id *run, const struct span_record *spans, int n,
                        struct error *e);

/* ---- the machine's limits ---- */

struct ceiling_set {
    int64_t created_unix_ns;
    double noise;                  /* relative spread while measuring; NAN unknown */
    const struct ceiling_record *items;
    int count;
};
enum status store_ceilings(struct store *s, const struct machine_record *machine, const struct ceiling_set *set,
                           struct error *e);
/* The newest set of the machine with these facts; `count` 0 where there is none. In the arena. */
enum status store_ceilings_newest(struct store *s, const struct machine_record *machine, struct arena *a,
                                  struct ceiling_set *out, struct error *e);

/* ---- what is costly to compute again, by a key that names all it depends on ---- */

enum status store_cache_put(struct store *s, const char *key, const void *value, size_t bytes, struct error *e);
/* `*value` NULL where there is none, else owned: mem_free. */
enum status store_cache_get(struct store *s, const char *key, void **value, size_t *bytes, struct error *e);

/* ---- going on with an interrupted experiment ---- */

/* The newest experiment of this spec_json; `is_found` 0 where there is none. */
enum status store_experiment_of_spec(struct store *s, const char *spec_json, struct id *out, int *is_found,
                                     struct error *e);
struct finished_process {
    int cell, block, order;
};
/* Processes that ran to their end, in order of block and order. In the arena. */
enum status store_finished(struct store *s, const struct id *experiment, struct arena *a,
                           struct finished_process **out, int *n, struct error *e);
/* The cell's run back in state `running`, its warnings forgotten; processes that never finished become `abandoned`:
 * their samples stay in the file but leave the views. `is_found` 0 where the cell has no run. */
enum status store_run_reopen(struct store *s, const struct id *experiment, int cell, struct id *run, int *is_found,
                             struct error *e);

/* ---- finding and listing ---- */

struct run_row {
    struct id id, experiment;
    int cell;
    enum run_state state;
    const char *label, *workload, *model, *backend, *dtype, *scenario, *name, *reason; /* reason: NULL none */
    int is_synthetic, truncated_layers, n_processes, n_samples;
    int64_t created_unix_ns;
};
struct run_list {
    struct run_row *items;
    int count;
    struct arena arena;
};
/* Newest first; of one experiment (in the order of cells), or all where it is NULL; at most `limit` (0: all). */
enum status store_list_runs(struct store *s, const struct id *experiment, int limit, struct run_list *out,
                            struct error *e);
void run_list_free(struct run_list *l);

struct experiment_row {
    struct id id;
    const char *name, *workload, *design;
    int n_cells, n_blocks, n_finished; /* n_finished: runs neither running nor interrupted */
    int64_t created_unix_ns;
};
struct experiment_list {
    struct experiment_row *items;
    int count;
    struct arena arena;
};
enum status store_list_experiments(struct store *s, int limit, struct experiment_list *out, struct error *e);
void experiment_list_free(struct experiment_list *l);

/* "latest", "latest~1", the beginning of an id (4 digits or more), or an experiment's name (its newest).
 * FIND_ANY finds runs and experiments; an experiment of design "single" stands for its run.
 * Errors also: INPUT nothing or more than one thing found (up to 8 candidates listed). */
enum find_kind { FIND_RUN, FIND_EXPERIMENT, FIND_ANY };
struct found {
    int is_experiment;
    struct id id;
};
enum status store_find(struct store *s, const char *text, enum find_kind kind, struct found *out, struct error *e);

const char *run_state_name(enum run_state s);
const char *receipt_verdict_name(enum receipt_verdict v);
const char *fidelity_class_name(enum fidelity_class c);

#endif
