#include "harness/measure/record.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double real(const json_t *o, const char *key) {
    const json_t *v = json_object_get(o, key);
    return json_is_number(v) ? json_number_value(v) : NAN;
}
static const char *text(const json_t *o, const char *key) { return json_string_value(json_object_get(o, key)); }
static int64_t whole(const json_t *o, const char *key) { return (int64_t)json_integer_value(json_object_get(o, key)); }

enum status record_sample(struct store *s, int64_t process, enum sample_phase phase, int index, const json_t *reply, double *wall_ns, struct error *e) {
    const json_t *values = json_object_get(reply, "values");
    size_t n = json_array_size(values);
    struct value_record *v = mem_alloc((n + 1) * sizeof *v);
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_array_get(values, i);
        v[i] = (struct value_record){json_string_value(json_array_get(item, 0)), (int64_t)json_integer_value(json_array_get(item, 1)),
                                     json_number_value(json_array_get(item, 2))};
    }
    struct sample_record r = {.index = index, .phase = phase, .start_ns = whole(reply, "start_ns"), .wall_ns = whole(reply, "wall_ns"),
                              .values = v, .n_values = (int)n};
    *wall_ns = (double)r.wall_ns;
    enum status st = store_sample(s, process, &r, e);
    mem_free(v);
    return st;
}

static enum status record_ledger(struct store *s, int64_t process, int index, const json_t *ledger, struct error *e) {
    const json_t *lines = json_object_get(ledger, "lines");
    size_t n = json_array_size(lines);
    struct ledger_line *l = mem_alloc((n + 1) * sizeof *l);
    for (size_t i = 0; i < n; i++) {
        const json_t *line = json_array_get(lines, i);
        l[i] = (struct ledger_line){.unit = text(line, "unit"), .stage = text(line, "stage"), .category = text(line, "category"), .ns = real(line, "ns"),
            .flop = real(line, "flop"), .bytes = real(line, "bytes"), .ceiling_share = real(line, "ceiling_share"),
            .ceiling = isnan(real(line, "ceiling_share")) ? NULL : "read or matrix, per operation", .launches = whole(line, "launches")};
    }
    const char *trouble = whole(ledger, "dropped") ? "spans were dropped: the trace was longer than its lists" : text(ledger, "trouble");
    struct ledger_record r = {.wall_ns = real(ledger, "wall_ns"), .lines = l, .n_lines = (int)n, .is_complete = !trouble || !*trouble, .reason = trouble && *trouble ? trouble : NULL};
    enum status st = store_ledger(s, process, index, &r, e);
    mem_free(l);
    return st;
}

enum status record_profile(struct store *s, int64_t process, int index, const json_t *reply, struct error *e) {
    const json_t *ops = json_object_get(reply, "ops");
    size_t n = json_array_size(ops);
    enum status st = record_ledger(s, process, index, json_object_get(reply, "ledger"), e);
    struct op_line *l = mem_alloc((n + 1) * sizeof *l);
    for (size_t i = 0; i < n; i++) {
        const json_t *line = json_array_get(ops, i);
        l[i] = (struct op_line){.stage = text(line, "stage"), .op = text(line, "op"), .category = text(line, "category"), .place = text(line, "place"),
            .calls = whole(line, "calls"), .ns = real(line, "ns"), .flop = real(line, "flop"), .bytes = real(line, "bytes")};
    }
    if (st == STATUS_OK) st = store_ops(s, process, index, l, (int)n, e);
    mem_free(l);
    return st;
}

static enum receipt_verdict verdict_parse(const char *name) {
    static const enum receipt_verdict all[] = {RECEIPT_ENGAGED, RECEIPT_NO_OP, RECEIPT_FALLBACK, RECEIPT_UNVERIFIED};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (name && strcmp(receipt_verdict_name(all[i]), name) == 0) return all[i];
    return RECEIPT_UNVERIFIED;
}

/* The store keeps evidence as text: in a line, and below it as JSON what was chosen among (results/model.h). Owned. */
static char *evidence_text(const json_t *receipt) {
    const json_t *choices = json_object_get(receipt, "choices");
    const char *line = text(receipt, "evidence");
    if (json_array_size(choices) == 0) return mem_copy_string(line ? line : "");
    char *below = json_dumps(choices, JSON_COMPACT | JSON_REAL_PRECISION(7)), *out = mem_printf("%s\n%s", line ? line : "", below);
    free(below);
    return out;
}

enum status record_receipts(struct store *s, const struct id *run, const json_t *reply, int *n_engaged, struct error *e) {
    size_t i;
    const json_t *item;
    enum status st = STATUS_OK;
    *n_engaged = 0;
    json_array_foreach(json_object_get(reply, "receipts"), i, item) {
        char *evidence = evidence_text(item);
        struct receipt_record r = {.optimizer = text(item, "optimizer"), .settings = text(item, "settings"),
                                   .verdict = verdict_parse(text(item, "verdict")), .evidence = evidence};
        *n_engaged += r.verdict == RECEIPT_ENGAGED;
        if (st == STATUS_OK) st = store_receipt(s, run, &r, e);
        mem_free(evidence);
    }
    return st;
}

enum status record_spans(struct store *s, const struct id *run, const json_t *reply, struct error *e) {
    const json_t *spans = json_object_get(reply, "spans");
    size_t n = json_array_size(spans);
    struct span_record *l = mem_alloc((n + 1) * sizeof *l);
    for (size_t i = 0; i < n; i++) {
        const json_t *x = json_array_get(spans, i);
        l[i] = (struct span_record){.name = json_string_value(json_array_get(x, 0)), .category = json_string_value(json_array_get(x, 1)),
            .stage = json_string_value(json_array_get(x, 2)), .unit = (int)json_integer_value(json_array_get(x, 3)),
            .lane = (int)json_integer_value(json_array_get(x, 4)), .step = (int)json_integer_value(json_array_get(x, 5)),
            .start_ns = (int64_t)json_integer_value(json_array_get(x, 6)), .duration_ns = (int64_t)json_integer_value(json_array_get(x, 7))};
    }
    enum status st = store_spans(s, run, l, (int)n, e);
    mem_free(l);
    return st;
}

enum status record_output(struct store *s, const struct id *run, const json_t *reply, struct error *e) {
    size_t i;
    const json_t *item;
    enum status st = STATUS_OK;
    json_array_foreach(json_object_get(reply, "output"), i, item) {
        char *tokens = json_dumps(json_object_get(item, "tokens"), JSON_COMPACT);
        struct output_record r = {.request = (int)i, .tokens_json = tokens, .text = text(item, "text")};
        if (st == STATUS_OK) st = store_output(s, run, &r, e);
        free(tokens);
    }
    return st == STATUS_OK ? record_memory(s, run, json_object_get(reply, "memory"), e) : st;
}

enum status record_memory(struct store *s, const struct id *run, const json_t *memory, struct error *e) {
    const char *class;
    json_t *bytes;
    json_object_foreach((json_t *)(uintptr_t)memory, class, bytes) {
        struct memory_record r = {.class = class, .bytes = json_number_value(bytes)};
        enum status st = store_memory(s, run, &r, e);
        if (st != STATUS_OK) return st;
    }
    return STATUS_OK;
}

enum status record_fidelity(struct store *s, const struct id *run, const json_t *check, struct error *e) {
    struct fidelity_record r = {.class = (enum fidelity_class)whole(check, "class"), .error = real(check, "error"), .plain_error = real(check, "plain_error"),
        .bound = real(check, "bound"), .is_ok = json_is_true(json_object_get(check, "ok")), .detail = text(check, "detail")};
    enum status st = store_fidelity(s, run, &r, e);
    size_t i;
    const json_t *item;
    json_array_foreach(json_object_get(check, "quality"), i, item) {
        struct quality_record q = {.name = text(item, "name"), .unit = text(item, "unit"), .value = real(item, "value"), .n = whole(item, "n")};
        if (st == STATUS_OK) st = store_quality(s, run, &q, e);
    }
    return st;
}

double record_value(const json_t *reply, const char *metric) {
    size_t i;
    const json_t *item;
    json_array_foreach(json_object_get(reply, "values"), i, item)
        if (strcmp(json_string_value(json_array_get(item, 0)), metric) == 0) return json_number_value(json_array_get(item, 2));
    return NAN;
}

double record_largest_share(const json_t *reply, char *where, size_t where_bytes) {
    size_t i;
    const json_t *line;
    double most = 0;
    json_array_foreach(json_object_get(json_object_get(reply, "ledger"), "lines"), i, line) {
        double share = real(line, "sure_share");
        if (!(share > most)) continue;
        most = share;
        snprintf(where, where_bytes, "%s, %s", text(line, "stage") ? text(line, "stage") : "-", text(line, "category"));
    }
    return most;
}
