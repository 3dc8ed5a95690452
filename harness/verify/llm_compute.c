/* llm_compute.c: runs a decoder on a reference's inputs and collects what it computed, under the reference's names
 * and in its layouts (tables of names: golden/llm and golden/smollm2). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/measure/cloze.h"
#include "harness/verify/verify.h"
#include "workloads/llm/weights.h"

struct compute {
    const struct reference *r;
    const struct spec *spec;
    struct llm_model *m;
    struct computed_list *out;
};

static const struct checkpoint_tensor *ids_of(const struct compute *c, const char *name, int *n) {
    const struct checkpoint_tensor *t = checkpoint_find(&c->r->tensors, name);
    if (!t || t->dtype != DTYPE_I32 || t->n_dims != 1) return NULL;
    *n = (int)t->dims[0];
    return t;
}

static struct computed *add(struct compute *c, enum dtype t, const char *prefix, const char *what, int n_dims, const int64_t *dims) {
    char name[128];
    snprintf(name, sizeof name, "%s%s", prefix, what);
    return computed_add(c->out, t, name, n_dims, dims);
}

static int wanted(const struct compute *c, const char *prefix, const char *what) {
    char name[128];
    snprintf(name, sizeof name, "%s%s", prefix, what);
    return checkpoint_find(&c->r->tensors, name) != NULL;
}

/* ---- intermediates ---- */

static void keep_all(struct program *p) {
    static const char *const taps[] = {"embed", "final_norm", "layer0.input_norm", "layer0.post_norm", "layer0.attn_out", "layer0.mlp_out",
        "layer0.q_proj", "layer0.k_proj", "layer0.v_proj", "layer0.q_rope", "layer0.k_rope", "layer0.attn_probs",
        "layer0.attn_context", "layer0.gate", "layer0.up", "layer0.mlp_act"};
    for (size_t i = 0; i < p->n_tensors; i++) {
        struct tensor *t = &p->tensors[i];
        if (t->storage != STORAGE_ACTIVATION) continue;
        const char *end = strchr(t->name, '.');
        if (strncmp(t->name, "layer", 5) == 0 && end && strcmp(end, ".out") == 0) t->is_kept = 1;
        for (size_t k = 0; k < sizeof taps / sizeof *taps; k++)
            if (strcmp(t->name, taps[k]) == 0) t->is_kept = 1;
    }
}

/* With optimizers on, what they fuse away must not be pinned: only the residual stream is looked at. */
static void keep_residual(struct program *p) {
    for (size_t i = 0; i < p->n_tensors; i++) {
        struct tensor *t = &p->tensors[i];
        const char *end = strchr(t->name, '.');
        if (t->storage == STORAGE_ACTIVATION && (strcmp(t->name, "embed") == 0 || strcmp(t->name, "final_norm") == 0 ||
            (strncmp(t->name, "layer", 5) == 0 && end && strcmp(end, ".out") == 0)))
            t->is_kept = 1;
    }
}

static void widen(const void *from, enum dtype t, size_t n, float *to) {
    const uint16_t *half = from;
    if (t == DTYPE_F32) memcpy(to, from, n * sizeof *to);
    else
        for (size_t i = 0; i < n; i++) to[i] = t == DTYPE_BF16 ? bf16_to_f32(half[i]) : f16_to_f32(half[i]);
}

/* A kept tensor as f32; 0 where the program has none of that name. */
static enum status read_tap(struct engine *g, const char *name, size_t n, float *to, int *is_there, struct error *e) {
    int index = g->pipeline.role[ROLE_FORCED], tensor = program_find(&g->pipeline.programs[index], name);
    *is_there = 0;
    if (tensor < 0 || !g->pipeline.programs[index].tensors[tensor].is_kept) return STATUS_OK;
    if (program_producer(&g->pipeline.programs[index], tensor) < 0) return STATUS_OK; /* fused away */
    const struct tensor *t = &g->pipeline.programs[index].tensors[tensor];
    void *raw = mem_alloc(n * dtype_bytes(t->dtype));
    enum status s = executor_read(&g->session.executor, g->session.io[index].executor_program, tensor, 0, raw, n * dtype_bytes(t->dtype), e);
    if (s == STATUS_OK) widen(raw, t->dtype, n, to);
    mem_free(raw);
    *is_there = s == STATUS_OK;
    return s;
}

/* (T, heads, k) → (heads, T, k) */
static void heads_first(const float *from, float *to, int64_t rows, int64_t heads, int64_t k) {
    for (int64_t t = 0; t < rows; t++)
        for (int64_t h = 0; h < heads; h++) memcpy(to + (h * rows + t) * k, from + (t * heads + h) * k, (size_t)k * sizeof *to);
}

static enum status add_tap(struct compute *c, struct engine *g, const char *prefix, const char *what, const char *tensor, int64_t rows,
                           int64_t heads, int64_t width, struct error *e) {
    char full[64];
    snprintf(full, sizeof full, "layer0.%s", tensor);
    if (!wanted(c, prefix, what)) return STATUS_OK;
    int is_there;
    size_t n = (size_t)(rows * (heads ? heads : 1) * width);
    float *raw = arena_alloc(&c->out->arena, n * sizeof *raw);
    enum status s = read_tap(g, full, n, raw, &is_there, e);
    if (s != STATUS_OK || !is_there) return s;
    if (heads) heads_first(raw, add(c, DTYPE_F32, prefix, what, 3, (int64_t[]){heads, rows, width})->data, rows, heads, width);
    else memcpy(add(c, DTYPE_F32, prefix, what, 2, (int64_t[]){rows, width})->data, raw, n * sizeof *raw);
    return STATUS_OK;
}

static enum status add_hidden(struct compute *c, struct engine *g, const char *prefix, int64_t rows, struct error *e) {
    const struct llm_config *k = &c->m->config;
    if (!wanted(c, prefix, "hidden")) return STATUS_OK;
    size_t n = (size_t)(rows * k->width);
    float *to = add(c, DTYPE_F32, prefix, "hidden", 3, (int64_t[]){k->layers + 2, rows, k->width})->data;
    for (int i = 0; i < k->layers + 2; i++) {
        char name[64];
        int is_there;
        if (i == 0 || i == k->layers + 1) snprintf(name, sizeof name, "%s", i ? "final_norm" : "embed");
        else snprintf(name, sizeof name, "layer%d.out", i - 1);
        enum status s = read_tap(g, name, n, to + (size_t)i * n, &is_there, e);
        if (s != STATUS_OK) return s;
    }
    return STATUS_OK;
}

static enum status add_taps(struct compute *c, struct engine *g, const char *prefix, int64_t rows, struct error *e) {
    const struct llm_config *k = &c->m->config;
    int64_t q = k->heads * k->head_width, kv = k->kv_heads * k->head_width;
    const struct { const char *what, *tensor; int64_t heads, width; } taps[] = {
        {"layer0.input_norm", "input_norm", 0, k->width}, {"layer0.post_norm", "post_norm", 0, k->width},
        {"layer0.attn_out", "attn_out", 0, k->width}, {"layer0.mlp_out", "mlp_out", 0, k->width},
        {"layer0.q_proj", "q_proj", 0, q}, {"layer0.k_proj", "k_proj", 0, kv}, {"layer0.v_proj", "v_proj", 0, kv},
        {"layer0.q_rope", "q_rope", k->heads, k->head_width}, {"layer0.k_rope", "k_rope", k->kv_heads, k->head_width},
        {"layer0.v", "v_proj", k->kv_heads, k->head_width}, {"layer0.attn_probs", "attn_probs", k->heads, rows},
        {"layer0.attn_context", "attn_context", 0, q}, {"layer0.gate", "gate", 0, k->feed_forward},
        {"layer0.up", "up", 0, k->feed_forward}, {"layer0.mlp_act", "mlp_act", 0, k->feed_forward},
    };
    enum status s = add_hidden(c, g, prefix, rows, e);
    for (size_t i = 0; i < sizeof taps / sizeof *taps && s == STATUS_OK; i++)
        s = add_tap(c, g, prefix, taps[i].what, taps[i].tensor, rows, taps[i].heads, taps[i].width, e);
    return s;
}

/* ---- logits ---- */

static enum status open_forced(struct compute *c, struct engine *g, int rows, int positions, struct error *e) {
    struct engine_options o = {.roles = ROLES_FORCED, .keep = c->spec->n_uses ? keep_residual : keep_all,
        .limits = {.prefill_rows = 1, .slots = 1, .positions = positions, .forced_rows = rows}};
    return engine_open(g, c->spec, c->m, &o, e);
}

static int compare_logits(const void *a, const void *b, void *logits) {
    const float *l = logits;
    int32_t i = *(const int32_t *)a, j = *(const int32_t *)b;
    return l[i] > l[j] ? -1 : l[i] < l[j] ? 1 : (i > j) - (i < j);
}

static void add_top(struct compute *c, const char *prefix, float *row) {
    int64_t width = c->m->config.vocabulary, n = 20;
    if (!wanted(c, prefix, "top_ids") || width < n) return;
    int32_t *order = mem_alloc((size_t)width * sizeof *order);
    for (int64_t i = 0; i < width; i++) order[i] = (int32_t)i;
    qsort_r(order, (size_t)width, sizeof *order, compare_logits, row);
    memcpy(add(c, DTYPE_I32, prefix, "top_ids", 1, &n)->data, order, (size_t)n * sizeof *order);
    float *top = add(c, DTYPE_F32, prefix, "top_logits", 1, &n)->data;
    for (int64_t i = 0; i < n; i++) top[i] = row[order[i]];
    mem_free(order);
}

/* One row at a time after the prompt, the reference's tokens fed: what a decode with a cache must give. */
static enum status add_greedy_logits(struct compute *c, const char *prefix, const int32_t *ids, int n, struct error *e) {
    int steps;
    char name[64];
    snprintf(name, sizeof name, "%sgreedy", prefix);
    const struct checkpoint_tensor *greedy = ids_of(c, name, &steps);
    if (!greedy || !wanted(c, prefix, "greedy_logits")) return STATUS_OK;
    int64_t width = c->m->config.vocabulary;
    int32_t *all = arena_alloc(&c->out->arena, (size_t)(n + steps) * sizeof *all);
    float *logits = arena_alloc(&c->out->arena, (size_t)(n + steps) * (size_t)width * sizeof *logits);
    memcpy(all, ids, (size_t)n * sizeof *all);
    memcpy(all + n, greedy->data, (size_t)steps * sizeof *all);
    struct engine g;
    enum status s = open_forced(c, &g, 1, n + steps, e);
    if (s == STATUS_OK) s = engine_forced(&g, all, n + steps - 1, logits, NULL, e);
    engine_close(&g);
    if (s != STATUS_OK) return s;
    float *to = add(c, DTYPE_F32, prefix, "greedy_logits", 2, (int64_t[]){steps, width})->data;
    memcpy(to, logits + (size_t)(n - 1) * (size_t)width, (size_t)steps * (size_t)width * sizeof *to);
    return STATUS_OK;
}

static enum status compute_prompt(struct compute *c, const char *prefix, const int32_t *ids, int n, struct error *e) {
    struct engine g;
    int64_t width = c->m->config.vocabulary;
    float *logits = arena_alloc(&c->out->arena, (size_t)n * (size_t)width * sizeof *logits);
    enum status s = open_forced(c, &g, n, n, e);
    if (s == STATUS_OK) s = engine_forced(&g, ids, n, logits, NULL, e);
    if (s == STATUS_OK) s = add_taps(c, &g, prefix, n, e);
    engine_close(&g);
    if (s != STATUS_OK) return s;
    if (wanted(c, prefix, "logits"))
        memcpy(add(c, DTYPE_F32, prefix, "logits", 2, (int64_t[]){n, width})->data, logits, (size_t)n * (size_t)width * sizeof *logits);
    add_top(c, prefix, logits + (size_t)(n - 1) * (size_t)width);
    return add_greedy_logits(c, prefix, ids, n, e);
}

/* ---- generation ---- */

static void keep_logits(struct program *p) {
    int t = program_find(p, "logits");
    if (t >= 0 && p->tensors[t].storage == STORAGE_ACTIVATION) p->tensors[t].is_kept = 1;
}

static struct request make_request(struct arena *a, const int32_t *ids, int n, int steps) {
    struct request r = {.n_prompt = n, .prompt_capacity = n, .max_new = steps, .ignores_stop = 1, .sampling = {.top_p = 1}};
    r.prompt = arena_alloc(a, (size_t)n * sizeof *r.prompt);
    memcpy(r.prompt, ids, (size_t)n * sizeof *r.prompt);
    r.output = arena_alloc(a, (size_t)steps * sizeof *r.output);
    r.arrival_ns = arena_alloc(a, (size_t)steps * sizeof *r.arrival_ns);
    return r;
}

static enum status generate(struct compute *c, struct job *job, int steps, float *last_logits, struct error *e) {
    struct engine g;
    struct engine_options o = {.roles = ROLES_GENERATE, .keep = keep_logits, .limits = {.slots = job->n_requests}};
    for (int i = 0; i < job->n_requests; i++) {
        o.limits.prefill_rows += job->requests[i].n_prompt;
        if (job->requests[i].n_prompt + steps > o.limits.positions) o.limits.positions = job->requests[i].n_prompt + steps;
    }
    enum status s = engine_open(&g, c->spec, c->m, &o, e);
    if (s == STATUS_OK) s = session_run(&g.session, job, NULL, e);
    int program = g.pipeline.role[ROLE_PREFILL];
    size_t bytes = (size_t)job->n_requests * (size_t)c->m->config.vocabulary * sizeof(float);
    if (s == STATUS_OK && last_logits)
        s = executor_read(&g.session.executor, g.session.io[program].executor_program, program_find(&g.pipeline.programs[program], "logits"), 0, last_logits, bytes, e);
    engine_close(&g);
    for (int i = 0; i < job->n_requests; i++) text_free(&job->requests[i].decoded);
    return s;
}

static enum status compute_greedy(struct compute *c, const char *prefix, const int32_t *ids, int n, struct error *e) {
    char name[64];
    int steps;
    snprintf(name, sizeof name, "%sgreedy", prefix);
    if (!ids_of(c, name, &steps)) return STATUS_OK;
    struct request r = make_request(&c->out->arena, ids, n, steps);
    struct job job = {.requests = &r, .n_requests = 1};
    enum status s = generate(c, &job, steps, NULL, e);
    if (s == STATUS_OK) memcpy(add(c, DTYPE_I32, prefix, "greedy", 1, (int64_t[]){steps})->data, r.output, (size_t)steps * sizeof *r.output);
    return s;
}

static enum status compute_batch(struct compute *c, struct error *e) {
    const struct checkpoint_tensor *ids = checkpoint_find(&c->r->tensors, "batch.ids");
    int n;
    const struct checkpoint_tensor *lengths = ids_of(c, "batch.lengths", &n);
    if (!ids || !lengths || ids->n_dims != 2) return STATUS_OK;
    struct request *r = arena_alloc(&c->out->arena, (size_t)n * sizeof *r);
    for (int i = 0; i < n; i++)
        r[i] = make_request(&c->out->arena, (const int32_t *)ids->data + i * ids->dims[1], ((const int32_t *)lengths->data)[i], 1);
    struct job job = {.requests = r, .n_requests = n};
    int64_t dims[] = {n, c->m->config.vocabulary};
    float *to = computed_add(c->out, DTYPE_F32, "batch.last_logits", 2, dims)->data;
    return generate(c, &job, 1, to, e);
}

/* ---- likelihood ---- */

static enum status likelihood(struct compute *c, const int32_t *ids, int n, float *nll, struct error *e) {
    struct engine g;
    struct engine_options o = {.roles = ROLES_FORCED, .limits = {.prefill_rows = 1, .slots = 1, .positions = n, .forced_rows = n < 256 ? n : 256}};
    enum status s = engine_open(&g, c->spec, c->m, &o, e);
    if (s == STATUS_OK) s = engine_forced(&g, ids, n, NULL, nll, e);
    engine_close(&g);
    return s;
}

/* "nll.ids" → "nll.per_token", "nll.TEXT.ids" → "nll.TEXT.per_token". */
static enum status compute_nll(struct compute *c, const char *ids_name, struct error *e) {
    int n;
    const struct checkpoint_tensor *ids = ids_of(c, ids_name, &n);
    char name[128];
    if (!ids || n < 2) return STATUS_OK;
    snprintf(name, sizeof name, "%.*sper_token", (int)(strlen(ids_name) - 3), ids_name);
    float *to = computed_add(c->out, DTYPE_F32, name, 1, (int64_t[]){n - 1})->data;
    return likelihood(c, ids->data, n, to, e);
}

/* Sum of log-probabilities of each option after its context. */
static enum status compute_cloze(struct compute *c, struct error *e) {
    const json_t *items = json_object_get(c->r->facts, "cloze");
    int64_t n_options = (int64_t)json_array_size(json_object_get(json_array_get(items, 0), "option_ids")), n_items = (int64_t)json_array_size(items);
    if (n_items == 0 || n_options == 0) return STATUS_OK;
    float *scores = computed_add(c->out, DTYPE_F32, "cloze.scores", 2, (int64_t[]){n_items, n_options})->data;
    struct engine g;
    struct engine_options o = {.roles = ROLES_FORCED, .limits = {.prefill_rows = 1, .slots = 1, .positions = 256, .forced_rows = 256}};
    enum status s = engine_open(&g, c->spec, c->m, &o, e);
    for (int64_t i = 0; i < n_items * n_options && s == STATUS_OK; i++) {
        const json_t *item = json_array_get(items, (size_t)(i / n_options)), *context = json_object_get(item, "context_ids");
        const json_t *option = json_array_get(json_object_get(item, "option_ids"), (size_t)(i % n_options));
        int32_t ids[256];
        int n = 0, n_context = (int)json_array_size(context), total = n_context + (int)json_array_size(option);
        for (; n < total && n < 256; n++)
            ids[n] = (int32_t)json_integer_value(n < n_context ? json_array_get(context, (size_t)n) : json_array_get(option, (size_t)(n - n_context)));
        double sum;
        s = cloze_log_likelihood(&g, ids, n_context, n, &sum, e);
        scores[i] = (float)sum;
    }
    engine_close(&g);
    return s;
}

/* ---- rotation and rows of weights ---- */

static void compute_rope(struct compute *c) {
    const struct llm_config *k = &c->m->config;
    int64_t half = k->head_width / 2;
    double *f = arena_alloc(&c->out->arena, (size_t)half * sizeof *f);
    llm_frequencies(k, c->m->rope_factors, f);
    if (wanted(c, "rope.", "inv_freq")) {
        float *to = computed_add(c->out, DTYPE_F32, "rope.inv_freq", 1, &half)->data;
        for (int64_t j = 0; j < half; j++) to[j] = (float)f[j];
    }
    const struct checkpoint_tensor *cosines = checkpoint_find(&c->r->tensors, "rope.cos");
    if (!cosines || cosines->n_dims != 2 || cosines->dims[1] != half) return;
    float *cos_to = computed_add(c->out, DTYPE_F32, "rope.cos", 2, cosines->dims)->data;
    float *sin_to = computed_add(c->out, DTYPE_F32, "rope.sin", 2, cosines->dims)->data;
    for (int64_t i = 0; i < cosines->dims[0] * half; i++) {
        cos_to[i] = (float)cos((double)(i / half) * f[i % half]);
        sin_to[i] = (float)sin((double)(i / half) * f[i % half]);
    }
}

static enum status add_rows(struct compute *c, const char *name, const struct recipe *r, int64_t first, int64_t second, struct error *e) {
    if (!checkpoint_find(&c->r->tensors, name)) return STATUS_OK;
    int64_t dims[] = {2, r->cols};
    int is_one = second < 0;
    float *to = computed_add(c->out, DTYPE_F32, name, is_one ? 1 : 2, is_one ? dims + 1 : dims)->data;
    enum status s = recipe_decode(r, &c->m->weights, first, 1, to, e);
    if (s == STATUS_OK && !is_one) s = recipe_decode(r, &c->m->weights, second, 1, to + r->cols, e);
    return s;
}

static enum status compute_rows(struct compute *c, struct error *e) {
    struct arena *a = &c->out->arena;
    const struct recipe *q = llm_recipe(c->m, a, LLM_Q, 0), *k = llm_recipe(c->m, a, LLM_K, 0);
    const struct recipe *stored_q = q->n_parts ? q->parts[0] : q, *stored_k = k->n_parts ? k->parts[0] : k;
    int64_t half = c->m->config.head_width / 2;
    enum status s = add_rows(c, "blk0.attn_q.rows_0_32", q, 0, half, e);
    if (s == STATUS_OK) s = add_rows(c, "blk0.attn_k.rows_0_32", k, 0, half, e);
    if (s == STATUS_OK) s = add_rows(c, "blk0.attn_q.stored_rows_0_1", stored_q, 0, 1, e);
    if (s == STATUS_OK) s = add_rows(c, "blk0.attn_k.stored_rows_0_1", stored_k, 0, 1, e);
    if (s == STATUS_OK) s = add_rows(c, "token_embd.row_504", llm_recipe(c->m, a, LLM_EMBED, -1), 504, -1, e);
    return s;
}

enum status verify_llm_compute(const struct reference *r, const struct spec *spec, struct llm_model *m, struct computed_list *out, struct error *e) {
    struct compute c = {r, spec, m, out};
    enum status s = compute_rows(&c, e);
    compute_rope(&c);
    for (int p = 0; s == STATUS_OK; p++) {
        char prefix[32], name[64];
        int n;
        snprintf(prefix, sizeof prefix, "prompt%d.", p);
        snprintf(name, sizeof name, "%sids", prefix);
        const struct checkpoint_tensor *ids = ids_of(&c, name, &n);
        if (!ids) break;
        s = compute_prompt(&c, prefix, ids->data, n, e);
        if (s == STATUS_OK) s = compute_greedy(&c, prefix, ids->data, n, e);
    }
    if (s == STATUS_OK) s = compute_batch(&c, e);
    for (size_t i = 0; i < r->tensors.n_tensors && s == STATUS_OK; i++) {
        const char *name = r->tensors.tensors[i].name;
        size_t length = strlen(name);
        if (strncmp(name, "nll.", 4) == 0 && length >= 7 && strcmp(name + length - 4, ".ids") == 0) s = compute_nll(&c, name, e);
    }
    return s == STATUS_OK ? compute_cloze(&c, e) : s;
}
