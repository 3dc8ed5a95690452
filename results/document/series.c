#include "results/document/series.h"

#include <math.h>
#include <string.h>

#include "results/document/document.h"
#include "results/document/json.h"
#include "results/stats/descriptive.h"
#include "results/stats/summary.h"
#include "results/store/query.h"

static const double confidence = 0.95;
enum { MIN_VALUES_P90 = 10, MIN_VALUES_P99 = 100 };

/* ---- reading ---- */

struct row_buffer {              /* the values of one process, as its rows come */
    double *values;
    int *samples;
    size_t n, values_capacity, samples_capacity;
};

static void add_value(struct row_buffer *b, int sample, double value) {
    LIST_GROW(b->values, b->n, b->values_capacity);
    LIST_GROW(b->samples, b->n, b->samples_capacity);
    b->values[b->n] = value;
    b->samples[b->n++] = sample;
}

/* The buffer's rows become a process's series; the buffer is empty afterwards. */
static void close_process(struct row_buffer *b, struct process_series *p, struct arena *a) {
    p->n_values = b->n;
    p->values = arena_alloc(a, b->n * sizeof(double));
    p->samples = arena_alloc(a, b->n * sizeof(double));
    memcpy(p->values, b->values, b->n * sizeof(double));
    for (size_t i = 0, j; i < b->n; i = j) {
        for (j = i; j < b->n && b->samples[j] == b->samples[i];) j++;
        p->samples[p->n_samples++] = sample_median(b->values + i, j - i);
    }
    p->median = sample_median(p->values, p->n_values);
    b->n = 0;
}

static enum status read_names(struct store *s, const struct id *run, struct run_series *out, struct error *e) {
    sqlite3_stmt *q =
        store_query(s, e,
                    "SELECT DISTINCT metric FROM v_metric_sample\n"
                    "WHERE run_id = ? AND phase = 'timed' AND abs(value) <= 1.7976931348623157e308 ORDER BY metric",
                    "t", run->text);
    size_t capacity = 0;
    int row = -1;
    while (q && (row = store_next(s, q, e)) == 1) {
        LIST_GROW(out->metrics, out->n, capacity);
        out->metrics[out->n++] = (struct metric_series){.metric = store_text(&out->arena, q, 0)};
    }
    return row < 0 ? STATUS_STORE : STATUS_OK;
}

static enum status read_metric(struct store *s, const struct id *run, struct metric_series *m, struct arena *a,
                               struct error *e) {
    sqlite3_stmt *q = store_query(s, e,
        "SELECT process_id, block, sample, value FROM v_metric_sample\n"
        "WHERE run_id = ? AND metric = ? AND phase = 'timed' AND abs(value) <= 1.7976931348623157e308\n"
        "ORDER BY block, process_id, sample, position", "tt", run->text, m->metric);
    struct row_buffer b = {0};
    struct process_series *p = NULL;
    size_t capacity = 0;
    int row = -1;
    while (q && (row = store_next(s, q, e)) == 1) {
        int64_t process = sqlite3_column_int64(q, 0);
        if (!p || p->process != process) {
            if (p) close_process(&b, p, a);
            LIST_GROW(m->processes, m->n, capacity);
            p = &m->processes[m->n++];
            *p = (struct process_series){.process = process, .block = sqlite3_column_int(q, 1)};
        }
        add_value(&b, sqlite3_column_int(q, 2), sqlite3_column_double(q, 3));
    }
    if (p) close_process(&b, p, a);
    mem_free(b.values);
    mem_free(b.samples);
    return row < 0 ? STATUS_STORE : STATUS_OK;
}

enum status run_series_read(struct store *s, const struct id *run, struct run_series *out, struct error *e) {
    *out = (struct run_series){0};
    enum status status = read_names(s, run, out, e);
    for (size_t i = 0; i < out->n && status == STATUS_OK; i++)
        status = read_metric(s, run, &out->metrics[i], &out->arena, e);
    if (status != STATUS_OK) run_series_free(out);
    return status;
}

void run_series_free(struct run_series *r) {
    for (size_t i = 0; i < r->n; i++) mem_free(r->metrics[i].processes);
    mem_free(r->metrics);
    arena_free(&r->arena);
    *r = (struct run_series){0};
}

const struct metric_series *run_series_find(const struct run_series *r, const char *metric) {
    for (size_t i = 0; i < r->n; i++)
        if (strcmp(r->metrics[i].metric, metric) == 0) return &r->metrics[i];
    return NULL;
}

/* ---- summarising ---- */

static double *pooled(const struct metric_series *m, size_t *n) {
    *n = 0;
    for (size_t i = 0; i < m->n; i++) *n += m->processes[i].n_values;
    double *out = mem_alloc(*n * sizeof *out);
    size_t at = 0;
    for (size_t i = 0; i < m->n; at += m->processes[i++].n_values)
        memcpy(out + at, m->processes[i].values, m->processes[i].n_values * sizeof *out);
    return out;
}

static struct summary summarise(const struct metric_series *m) {
    struct process_samples *list = mem_alloc(m->n * sizeof *list);
    int is_positive = 1;
    for (size_t i = 0; i < m->n; i++) {
        list[i] = (struct process_samples){m->processes[i].values, m->processes[i].n_values};
        is_positive &= m->processes[i].median >= 0;
    }
    struct summary out = summary_of(&(struct side_samples){list, m->n}, confidence);
    mem_free(list);
    if (out.samples < 2) out.low = out.high = NAN; /* one number has no interval */
    if (is_positive && out.low < 0) out.low = 0;   /* t knows no bounds, times and rates do */
    return out;
}

json_t *metric_summary(const struct metric_series *m) {
    size_t n_values, n_samples = 0;
    double *values = pooled(m, &n_values);
    for (size_t i = 0; i < m->n; i++) n_samples += m->processes[i].n_samples;
    struct summary s = summarise(m);
    json_t *out = json_pack(
        "{s:o,s:o,s:o,s:s,s:I,s:I,s:I,s:s,s:o,s:o}", "median", json_number(s.median), "low", json_number(s.low), "high",
        json_number(s.high), "unit", metric_unit(m->metric), "samples", (json_int_t)n_samples, "values",
        (json_int_t)n_values, "processes", (json_int_t)m->n, "interval_of",
        m->n >= SUMMARY_MIN_PROCESSES ? "processes" : "samples", "p90",
        json_number(n_values < MIN_VALUES_P90 ? NAN : sample_quantile(values, n_values, 0.9)), "p99",
        json_number(n_values < MIN_VALUES_P99 ? NAN : sample_quantile(values, n_values, 0.99)));
    mem_free(values);
    return out;
}
