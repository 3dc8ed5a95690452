/* sides.c: one metric of two runs, paired as the data allows, judged by verdict.h. */
#include <string.h>

#include "results/document/json.h"
#include "results/document/sections.h"
#include "results/stats/verdict.h"
#include "results/store/query.h"

/* ---- when the processes sampled ---- */

struct turn {
    int64_t process, first_ns, last_ns;
};

struct turns {
    struct turn *items;
    size_t n;
};

static enum status read_turns(struct store *s, const struct id *run, struct turns *t, size_t *capacity,
                              struct error *e) {
    sqlite3_stmt *q = store_query(s, e,
        "SELECT process_id, min(start_ns), max(start_ns) FROM v_sample\n"
        "WHERE run_id = ? AND phase = 'timed' AND start_ns IS NOT NULL GROUP BY process_id", "t", run->text);
    int row = -1;
    while (q && (row = store_next(s, q, e)) == 1) {
        LIST_GROW(t->items, t->n, *capacity);
        t->items[t->n++] = (struct turn){sqlite3_column_int64(q, 0), sqlite3_column_int64(q, 1),
                                         sqlite3_column_int64(q, 2)};
    }
    return row < 0 ? STATUS_STORE : STATUS_OK;
}

enum status turns_read(struct store *s, const struct id *a, const struct id *b, struct turns **out, struct error *e) {
    *out = mem_alloc(sizeof **out);
    size_t capacity = 0;
    enum status status = read_turns(s, a, *out, &capacity, e);
    return status == STATUS_OK ? read_turns(s, b, *out, &capacity, e) : status;
}

void turns_free(struct turns *t) {
    if (t) mem_free(t->items);
    mem_free(t);
}

static const struct turn *turn_of(const struct turns *t, int64_t process) {
    for (size_t i = 0; i < t->n; i++)
        if (t->items[i].process == process) return &t->items[i];
    return NULL;
}

/* Neither began its last sample before the other's first: they were there together and took turns. */
static int took_turns(const struct turns *t, int64_t a, int64_t b) {
    const struct turn *x = turn_of(t, a), *y = turn_of(t, b);
    return x && y && x->first_ns < y->last_ns && y->first_ns < x->last_ns;
}

/* ---- sides ---- */

struct pair_list {
    struct process_samples *a, *b;
    size_t n_a, n_b;
};

static struct process_samples samples_of(const struct process_series *p) {
    return (struct process_samples){p->samples, p->n_samples};
}

/* Walks both lists of blocks, which ascend, and keeps what stands in both. True where all of them took turns. */
static int pair_blocks(const struct compare_sides *s, const struct turns *turns, struct pair_list *out) {
    int is_alternated = 1;
    for (size_t i = 0, j = 0; i < s->a->n && j < s->b->n;) {
        const struct process_series *x = &s->a->processes[i], *y = &s->b->processes[j];
        if (x->block == y->block) {
            out->a[out->n_a++] = samples_of(x);
            out->b[out->n_b++] = samples_of(y);
            is_alternated &= took_turns(turns, x->process, y->process);
        }
        i += x->block <= y->block;
        j += y->block <= x->block;
    }
    return is_alternated;
}

static void take_all(const struct compare_sides *s, struct pair_list *out) {
    for (size_t i = 0; i < s->a->n; i++) out->a[out->n_a++] = samples_of(&s->a->processes[i]);
    for (size_t i = 0; i < s->b->n; i++) out->b[out->n_b++] = samples_of(&s->b->processes[i]);
}

json_t *compare_metric(const struct compare_sides *s, const struct turns *turns, enum verdict_kind *kind) {
    static const char *const pairings[] = {"unpaired", "paired blocks", "paired samples"};
    struct pair_list list = {mem_alloc(s->a->n * sizeof *list.a), mem_alloc(s->b->n * sizeof *list.b), 0, 0};
    int is_alternated = s->is_paired ? pair_blocks(s, turns, &list) : 0;
    enum verdict_pairing pairing = is_alternated ? VERDICT_PAIRED_SAMPLES : VERDICT_PAIRED_BLOCKS;
    if (list.n_a == 0) {
        pairing = VERDICT_UNPAIRED;
        take_all(s, &list);
    }
    struct verdict_settings settings = verdict_defaults();
    settings.lower_is_better = metric_is_better_low(s->a->metric);
    if (s->margin > 0) settings.margin = s->margin;
    struct verdict v;
    verdict_compare(&(struct side_samples){list.a, list.n_a}, &(struct side_samples){list.b, list.n_b}, pairing,
                    &settings, &v);
    mem_free(list.a);
    mem_free(list.b);
    *kind = v.kind;
    return json_pack("{s:s,s:o,s:o,s:o,s:o,s:s,s:s,s:I,s:f,s:f}", "verdict", verdict_name(v.kind), "ratio",
                     json_number(v.ratio), "low", json_number(v.low), "high", json_number(v.high), "detectable",
                     json_number(v.detectable), "reason", v.reason ? v.reason : "", "pairing", pairings[pairing],
                     "blocks", (json_int_t)v.blocks, "confidence", settings.confidence, "margin", settings.margin);
}
