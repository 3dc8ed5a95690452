/* bench_encoder: an encoder of BERT-base's shape with synthetic weights on the CPU, its optimizers as in `assay run`.
 * usage: bench_encoder [TYPE=f32|bf16|f16] [BATCH] [LENGTH] [THREADS] [OPTIMIZER…]
 * Prints one line of JSON: sequences a second (median and best of at least two seconds and three runs), what each optimizer replaced,
 * milliseconds by category of a traced run. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/backend.h"
#include "kernels/base/random.h"
#include "kernels/trace.h"
#include "optimizers/optimizer.h"
#include "results/stats/descriptive.h"
#include "workloads/classify/encoder.h"
#include "workloads/sources.h"

enum { MOST_RUNS = 1000 };

struct bench {
    enum dtype dtype;
    int64_t batch, length;
    int threads, n_uses;
    struct optimizer_use uses[OPTIMIZERS_MAX];
    struct rewrite rewrites[OPTIMIZERS_MAX];
    struct pipeline pipeline;
    const struct program *program;
    struct weight_source weights;
    uint64_t seed;
    struct clock clock;
    struct device *device;
    struct prepared *prepared;
};

static enum status supports(void *self, const struct program *p, const struct op *op, struct error *e) { return device_backend(self)->supports(self, p, op, e); }

/* Every sequence is full: each token sees all of its own. */
static int32_t input_of(const struct bench *b, const char *name, int64_t i, uint64_t *random) {
    if (strcmp(name, "ids") == 0) return (int32_t)(random_next(random) % (uint64_t)encoder_bert_base.vocabulary);
    if (strcmp(name, "pos") == 0) return (int32_t)(i % b->length);
    if (strcmp(name, "rows") == 0) return (int32_t)(i / b->length);
    return strcmp(name, "last") == 0 ? (int32_t)b->length - 1 : 0;
}

static enum status write_inputs(struct bench *b, struct error *e) {
    int64_t n = b->batch * b->length;
    int32_t *data = mem_alloc((size_t)n * sizeof *data);
    enum status s = STATUS_OK;
    for (size_t k = 0; k < b->program->n_tensors && s == STATUS_OK; k++) {
        const struct tensor *t = &b->program->tensors[k];
        uint64_t random = b->seed;
        if (t->storage != STORAGE_INPUT) continue;
        for (int64_t i = 0; i < n; i++) data[i] = input_of(b, t->name, i, &random);
        s = device_backend(b->device)->write(b->prepared, (int)k, 0, data, (size_t)n * sizeof *data, e);
    }
    mem_free(data);
    return s;
}

static enum status make_ready(struct bench *b, struct error *e) {
    const struct backend *k = &backend_cpu;
    int64_t rows = b->batch * b->length;
    const int64_t symbols[SYMBOL_COUNT] = {[SYMBOL_R] = rows, [SYMBOL_B] = b->batch, [SYMBOL_S] = b->length};
    struct program *p = &b->pipeline.programs[pipeline_add_program(&b->pipeline, "encoder")];
    encoder_program(&encoder_bert_base, "bert.", b->dtype, &(struct encoder_limits){rows, b->batch, b->length}, &b->pipeline.arena, p);
    b->program = p;
    b->weights = synthetic_weights(&b->seed);
    b->pipeline.weights = &b->weights;
    enum status s = k->open(&(struct device_options){.threads = b->threads, .is_bound = 1, .clock = &b->clock}, &b->device, e);
    if (s == STATUS_OK) s = optimizers_check(b->uses, b->n_uses, e);
    struct rewrite_context context = {.supports = supports, .self = b->device};
    if (s == STATUS_OK) s = optimizers_apply(&b->pipeline, b->uses, b->n_uses, &context, b->rewrites, e);
    if (s == STATUS_OK) s = program_validate(p, e);
    if (s == STATUS_OK) s = k->prepare(b->device, p, &b->weights, &b->prepared, e);
    if (s == STATUS_OK) s = k->bind(b->prepared, symbols, e);
    return s == STATUS_OK ? write_inputs(b, e) : s;
}

static enum status run(struct bench *b, struct tracer *t, double *ns, struct error *e) {
    uint64_t start = clock_now_ns(&b->clock);
    enum status s = backend_cpu.run(b->prepared, 0, (int)b->program->n_ops, t, e);
    *ns = (double)(clock_now_ns(&b->clock) - start);
    return s;
}

/* Milliseconds of a thread by category, of one traced run. */
static enum status add_categories(struct bench *b, json_t *out, struct error *e) {
    double ns, sum[CATEGORY_COUNT] = {0};
    struct tracer t;
    tracer_init(&t, &b->clock, 1, &b->threads, b->program->n_ops);
    enum status s = run(b, &t, &ns, e);
    for (int member = 0; member < b->threads; member++) {
        const struct lane *l = &t.lanes[0][member];
        for (size_t i = 0; i < l->count; i++)
            sum[b->program->ops[l->spans[i].op].category] += (double)(l->spans[i].end_ns - l->spans[i].start_ns) / 1e6 / b->threads;
    }
    for (int c = 0; c < CATEGORY_COUNT; c++)
        if (sum[c] > 0) json_object_set_new(out, category_name((enum category)c), json_real(sum[c]));
    tracer_free(&t);
    return s;
}

static enum status measure(struct bench *b, json_t *out, struct error *e) {
    static double ns[MOST_RUNS];
    double spent = 0;
    int n = 0;
    enum status s = run(b, NULL, &ns[0], e);
    for (; s == STATUS_OK && n < MOST_RUNS && (n < 3 || spent < 2e9); spent += ns[n++]) s = run(b, NULL, &ns[n], e);
    if (s != STATUS_OK) return s;
    double median = sample_median(ns, (size_t)n), best = sample_quantile(ns, (size_t)n, 0);
    json_object_set_new(out, "sequences_per_s", json_real((double)b->batch / median * 1e9));
    json_object_set_new(out, "best", json_real((double)b->batch / best * 1e9));
    json_object_set_new(out, "runs", json_integer(n));
    for (int i = 0; i < b->n_uses; i++) {
        const struct rewrite *r = &b->rewrites[i];
        json_object_set_new(out, b->uses[i].text, json_sprintf("%d of %d places", r->replaced, r->found));
    }
    json_t *categories = json_object();
    json_object_set_new(out, "ms", categories);
    return add_categories(b, categories, e);
}

static enum status read_arguments(int argc, char **argv, struct bench *b, struct error *e) {
    int type = argc > 1 ? dtype_parse(argv[1]) : DTYPE_F32;
    b->dtype = (enum dtype)type;
    b->batch = argc > 2 ? atoi(argv[2]) : 8;
    b->length = argc > 3 ? atoi(argv[3]) : 128;
    b->threads = argc > 4 ? atoi(argv[4]) : 2;
    if ((type != DTYPE_F32 && type != DTYPE_BF16 && type != DTYPE_F16) || b->batch < 1 || b->length < 1 || b->length > encoder_bert_base.positions || b->threads < 1)
        return error_set(e, STATUS_INPUT, "usage: bench_encoder [f32|bf16|f16] [BATCH] [LENGTH, 512 at most] [THREADS] [OPTIMIZER…]");
    enum status s = STATUS_OK;
    for (int i = 5; i < argc && b->n_uses < OPTIMIZERS_MAX && s == STATUS_OK; i++) s = optimizer_parse(argv[i], &b->pipeline.arena, &b->uses[b->n_uses++], e);
    return s;
}

int main(int argc, char **argv) {
    static struct bench b = {.seed = 1};
    struct error e = {0};
    json_t *out = json_object();
    pipeline_init(&b.pipeline, "classify");
    enum status s = read_arguments(argc, argv, &b, &e);
    if (s == STATUS_OK) s = make_ready(&b, &e);
    if (s == STATUS_OK) s = measure(&b, out, &e);
    if (s == STATUS_OK) json_dumpf(out, stdout, JSON_REAL_PRECISION(6)), putchar('\n');
    else fprintf(stderr, "%s\n", e.text);
    json_decref(out);
    if (b.prepared) backend_cpu.release(b.prepared);
    if (b.device) backend_cpu.close(b.device);
    pipeline_free(&b.pipeline);
    return s == STATUS_OK ? 0 : 1;
}
