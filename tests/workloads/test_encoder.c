/* Encoders against golden/classify: every hidden state, on the judge and on the CPU, plain and rewritten; configurations that are refused. */
#include <math.h>
#include <string.h>

#include "check_main.h"
#include "kernels/backend.h"
#include "optimizers/optimizer.h"
#include "workloads/classify/encoder.h"
#include "workloads/sources.h"

struct encoder {
    struct checkpoint model, expected;
    struct encoder_config config;
    struct pipeline pipeline;
    struct program *program;
    struct weight_source weights;
    struct device *device;
    struct prepared *prepared;
    struct clock clock;
    int64_t batch, tokens;
};

static enum status device_supports(void *self, const struct program *p, const struct op *op, struct error *e) {
    return device_backend(self)->supports(self, p, op, e);
}

static const int64_t *ids_of(const struct encoder *n, const char *name) {
    const struct checkpoint_tensor *t = checkpoint_find(&n->expected, name);
    ck_assert_msg(t && t->n_dims == 2 && t->dims[0] == n->batch && t->dims[1] == n->tokens && t->dtype == DTYPE_I64, "%s", name);
    return t->data;
}

static void write_input(struct encoder *n, const char *name, const int32_t *data) {
    struct error e = {0};
    int tensor = program_find(n->program, name);
    ck_assert_int_ge(tensor, 0);
    ck_assert_msg(prepared_backend(n->prepared)->write(n->prepared, tensor, 0, data, (size_t)(n->batch * n->tokens) * sizeof *data, &e) == STATUS_OK, "%s", e.text);
}

/* Padding is computed too, as the reference does: it sees the real tokens of its row. */
static void write_inputs(struct encoder *n) {
    const int64_t *ids = ids_of(n, "in.input_ids"), *mask = ids_of(n, "in.attention_mask"), *segments = ids_of(n, "in.token_type_ids");
    int64_t all = n->batch * n->tokens;
    int32_t *id = malloc(5 * (size_t)all * sizeof *id), *pos = id + all, *segment = pos + all, *row = segment + all, *last = row + all;
    for (int64_t i = 0; i < all; i++) {
        int64_t first = i / n->tokens * n->tokens, length = 0;
        for (int64_t k = 0; k < n->tokens; k++) length += mask[first + k];
        id[i] = (int32_t)ids[i];
        pos[i] = (int32_t)(i - first);
        segment[i] = (int32_t)segments[i];
        row[i] = (int32_t)(i / n->tokens);
        last[i] = (int32_t)length - 1;
    }
    write_input(n, "ids", id);
    write_input(n, "pos", pos);
    write_input(n, "segments", segment);
    write_input(n, "rows", row);
    write_input(n, "last", last);
    free(id);
}

static int is_compared(const char *tensor) { return strncmp(tensor, "hidden.", 7) == 0 || strncmp(tensor, "attention_output.", 17) == 0; }

static void open_case(struct encoder *n, const char *name, enum dtype t, const char *const *opts, const struct backend *b) {
    char path[512];
    struct error e = {0};
    struct optimizer_use uses[4];
    struct rewrite rewrites[4];
    int n_uses = 0;
    *n = (struct encoder){0};
    snprintf(path, sizeof path, ASSAY_GOLDEN_DIR "/classify/%s", name);
    ck_assert_msg(checkpoint_open(path, &n->model, &e) == STATUS_OK, "%s", e.text);
    snprintf(path, sizeof path, ASSAY_GOLDEN_DIR "/classify/%s/expected.safetensors", name);
    ck_assert_msg(safetensors_open(path, &n->expected, &e) == STATUS_OK, "%s", e.text);
    ck_assert_msg(encoder_config_from_json(n->model.config, &n->config, &e) == STATUS_OK, "%s", e.text);
    const struct checkpoint_tensor *ids = checkpoint_find(&n->expected, "in.input_ids");
    n->batch = ids->dims[0];
    n->tokens = ids->dims[1];
    pipeline_init(&n->pipeline, "classify");
    n->program = &n->pipeline.programs[pipeline_add_program(&n->pipeline, "encoder")];
    encoder_program(&n->config, "bert.", t, &(struct encoder_limits){n->batch * n->tokens, n->batch, n->tokens}, &n->pipeline.arena, n->program);
    for (size_t i = 0; i < n->program->n_tensors; i++) n->program->tensors[i].is_kept = is_compared(n->program->tensors[i].name);
    n->weights = checkpoint_weights(&n->model);
    n->pipeline.weights = &n->weights;
    ck_assert_msg(b->open(&(struct device_options){.threads = 2, .clock = &n->clock}, &n->device, &e) == STATUS_OK, "%s", e.text);
    for (; opts[n_uses]; n_uses++) ck_assert_msg(optimizer_parse(opts[n_uses], &n->pipeline.arena, &uses[n_uses], &e) == STATUS_OK, "%s", e.text);
    struct rewrite_context context = {.supports = device_supports, .self = n->device};
    ck_assert_msg(optimizers_apply(&n->pipeline, uses, n_uses, &context, rewrites, &e) == STATUS_OK, "%s", e.text);
    for (int i = 0; i < n_uses; i++) ck_assert_int_gt(rewrites[i].replaced, 0);
    ck_assert_msg(program_validate(n->program, &e) == STATUS_OK, "%s", e.text);
    ck_assert_msg(b->prepare(n->device, n->program, &n->weights, &n->prepared, &e) == STATUS_OK, "%s", e.text);
    const int64_t symbols[SYMBOL_COUNT] = {[SYMBOL_R] = n->batch * n->tokens, [SYMBOL_B] = n->batch, [SYMBOL_S] = n->tokens};
    ck_assert_msg(b->bind(n->prepared, symbols, &e) == STATUS_OK, "%s", e.text);
    write_inputs(n);
    ck_assert_msg(b->run(n->prepared, 0, (int)n->program->n_ops, NULL, &e) == STATUS_OK, "%s", e.text);
}

static void close_case(struct encoder *n) {
    device_backend(n->device)->release(n->prepared);
    device_backend(n->device)->close(n->device);
    pipeline_free(&n->pipeline);
    checkpoint_close(&n->expected);
    checkpoint_close(&n->model);
}

/* Largest difference over the tensor's largest value. */
static double difference(struct encoder *n, const char *name) {
    char golden[64];
    struct error e = {0};
    snprintf(golden, sizeof golden, "out.%s", name);
    const struct checkpoint_tensor *want = checkpoint_find(&n->expected, golden);
    int tensor = program_find(n->program, name);
    ck_assert_msg(want && tensor >= 0, "%s", name);
    const struct tensor *t = &n->program->tensors[tensor];
    int64_t all = n->batch * n->tokens * n->config.width;
    char *got = malloc((size_t)all * dtype_bytes(t->dtype));
    ck_assert_msg(prepared_backend(n->prepared)->read(n->prepared, tensor, 0, got, (size_t)all * dtype_bytes(t->dtype), &e) == STATUS_OK, "%s", e.text);
    double worst = 0, most = 0;
    for (int64_t i = 0; i < all; i++) {
        double x = t->dtype == DTYPE_F32 ? (double)((const float *)(const void *)got)[i] : (double)bf16_to_f32(((const uint16_t *)(const void *)got)[i]);
        double y = (double)((const float *)want->data)[i];
        most = fmax(most, fabs(y));
        worst = fmax(worst, fabs(x - y));
        ck_assert(isfinite(x));
    }
    free(got);
    return worst / most;
}

static void check_case(const char *name, enum dtype t, const char *const *opts, const struct backend *b, double bound) {
    struct encoder n;
    open_case(&n, name, t, opts, b);
    for (int i = 0; i <= n.config.layers; i++) {
        char hidden[32], attended[32];
        snprintf(hidden, sizeof hidden, "hidden.%d", i);
        snprintf(attended, sizeof attended, "attention_output.%d", i);
        ck_assert_msg(difference(&n, hidden) < bound, "%s of %s: %g", hidden, name, difference(&n, hidden));
        if (i < n.config.layers) ck_assert_msg(difference(&n, attended) < bound, "%s of %s: %g", attended, name, difference(&n, attended));
    }
    close_case(&n);
}

static const char *const cases[] = {"bert-sequence", "bert-token"};
static const char *const plain[] = {NULL};
static const char *const rewritten[] = {"attention", "fusion", NULL};

START_TEST(the_judge_agrees) {
    for (int i = 0; i < 2; i++) check_case(cases[i], DTYPE_F32, plain, &backend_reference, 1e-6);
}
END_TEST

START_TEST(the_cpu_agrees) {
    for (int i = 0; i < 2; i++) check_case(cases[i], DTYPE_F32, plain, &backend_cpu, 1e-5);
    for (int i = 0; i < 2; i++) check_case(cases[i], DTYPE_F32, rewritten, &backend_cpu, 1e-5);
    for (int i = 0; i < 2; i++) check_case(cases[i], DTYPE_BF16, rewritten, &backend_cpu, 0.05);
}
END_TEST

/* The comparison can fail: it sees what rounding to eight bits does. */
START_TEST(eight_bits_differ_a_little) {
    static const char *const opts[] = {"attention", "fusion", "quantize=kind=int8-dynamic,skip=none", NULL};
    struct encoder n;
    open_case(&n, "bert-sequence", DTYPE_F32, opts, &backend_cpu);
    double d = difference(&n, "hidden.3");
    ck_assert_msg(d > 1e-4 && d < 0.05, "%g", d);
    close_case(&n);
}
END_TEST

START_TEST(configurations_are_checked) {
    static const struct { const char *text, *says; } bad[] = {
        {"{\"hidden_act\": \"relu\"}", "relu"}, {"{\"position_embedding_type\": \"relative_key\"}", "relative_key"}, {"{}", "num_hidden_layers"},
        {"{\"num_hidden_layers\": 2, \"num_attention_heads\": 5, \"hidden_size\": 32, \"intermediate_size\": 64, \"vocab_size\": 9,"
         "\"max_position_embeddings\": 8, \"type_vocab_size\": 2}", "5 heads"},
        {"{\"num_hidden_layers\": 2, \"num_attention_heads\": 4, \"hidden_size\": 32, \"intermediate_size\": 64, \"vocab_size\": -9}", "vocab_size"},
        {"{\"num_hidden_layers\": 2, \"num_attention_heads\": 4, \"hidden_size\": 32, \"intermediate_size\": 64, \"vocab_size\": 9,"
         "\"max_position_embeddings\": 8, \"type_vocab_size\": 2, \"layer_norm_eps\": 0}", "layer_norm_eps"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct encoder_config c;
        struct error e = {0};
        json_t *o = json_loads(bad[i].text, 0, NULL);
        ck_assert(encoder_config_from_json(o, &c, &e) != STATUS_OK);
        ck_assert_msg(strstr(e.text, bad[i].says) != NULL, "%s", e.text);
        json_decref(o);
    }
}
END_TEST

TEST_MAIN("workloads.encoder", the_judge_agrees, the_cpu_agrees, eight_bits_differ_a_little, configurations_are_checked)
