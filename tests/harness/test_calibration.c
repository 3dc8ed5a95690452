/* Norms of what enters linear operations, from golden/llm's own activations; and that pruning by them is asked for and refused as it should be. */
#include <math.h>
#include <string.h>

#include "check_main.h"
#include "harness/measure/calibrate.h"
#include "harness/measure/engine.h"
#include "harness/verify/compare.h"

#define GQA ASSAY_GOLDEN_DIR "/llm/gqa"

struct trial {
    struct spec spec;
    struct llm_model model;
    struct reference expected;
    struct arena a;
    char ids[256];
};

static void begin(struct trial *t, const char *backend, enum dtype dtype) {
    struct error e = {0};
    *t = (struct trial){.spec = {.workload = "llm", .model = GQA, .backend = backend, .dtype = dtype, .batch = 1, .threads = 2, .generate = 1}};
    ck_assert_msg(llm_open(&(struct llm_options){.model = GQA}, &t->model, &e) == STATUS_OK, "%s", e.text);
    ck_assert_msg(reference_open(GQA, &t->expected, &e) == STATUS_OK, "%s", e.text);
    const struct checkpoint_tensor *ids = checkpoint_find(&t->expected.tensors, "prompt1.ids");
    for (int64_t i = 0; i < ids->dims[0]; i++) {
        int32_t id;
        memcpy(&id, (const char *)ids->data + 4 * i, sizeof id);
        snprintf(t->ids + strlen(t->ids), sizeof t->ids - strlen(t->ids), "%s%d", i ? "," : "", id);
    }
    t->spec.prompt_ids = t->ids;
}

static void end(struct trial *t) {
    reference_close(&t->expected);
    llm_close(&t->model);
    arena_free(&t->a);
}

static void assert_norms(const struct trial *t, const struct input_norms *norms, int n, const char *leaf, const char *input, double tolerance) {
    const struct checkpoint_tensor *x = checkpoint_find(&t->expected.tensors, input);
    int found = 0;
    ck_assert_ptr_nonnull(x);
    for (int i = 0; i < n; i++) {
        if (strcmp(norms[i].leaf, leaf) != 0) continue;
        ck_assert_int_eq(norms[i].cols, x->dims[1]);
        for (int64_t j = 0; j < x->dims[1]; j++) {
            double sum = 0;
            for (int64_t r = 0; r < x->dims[0]; r++) {
                float value;
                memcpy(&value, (const char *)x->data + 4 * (r * x->dims[1] + j), sizeof value);
                sum += (double)value * (double)value;
            }
            ck_assert_msg(fabs((double)norms[i].norm[j] - sqrt(sum)) <= tolerance * (sqrt(sum) + 0.1), "%s, column %d: %g, not %g", leaf, (int)j, (double)norms[i].norm[j], sqrt(sum));
        }
        found++;
    }
    ck_assert_int_eq(found, 1);
}

START_TEST(norms_are_those_of_the_reference) {
    static const struct { const char *leaf, *input; } pairs[] = {
        {"q_proj", "input_norm"}, {"k_proj", "input_norm"}, {"v_proj", "input_norm"}, {"o_proj", "attn_context"}, {"gate_proj", "post_norm"}, {"up_proj", "post_norm"}, {"down_proj", "mlp_act"}};
    static const struct { const char *backend; enum dtype dtype; double tolerance; } on[] = {{"reference", DTYPE_F32, 1e-5}, {"cpu", DTYPE_F32, 1e-4}, {"cpu", DTYPE_BF16, 0.05}, {"cuda-emulated", DTYPE_F32, 1e-4}};
    for (size_t k = 0; k < sizeof on / sizeof *on; k++) {
        struct trial t;
        struct error e = {0};
        struct input_norms *norms;
        int n = 0;
        begin(&t, on[k].backend, on[k].dtype);
        ck_assert_msg(calibrate(&t.spec, &t.model, "prompt", &t.a, &norms, &n, &e) == STATUS_OK, "%s", e.text);
        for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
            char leaf[96], input[64];
            snprintf(leaf, sizeof leaf, "model.layers.0.%s.%s.weight", i < 4 ? "self_attn" : "mlp", pairs[i].leaf);
            snprintf(input, sizeof input, "prompt1.layer0.%s", pairs[i].input);
            assert_norms(&t, norms, n, leaf, input, on[k].tolerance);
        }
        end(&t);
    }
}
END_TEST

static int is_scored(const struct recipe *r) { return r->kind == RECIPE_PRUNE && r->norm; }

/* Through an engine: every projection is scored, fused ones by their leaves; without the setting nothing is. */
START_TEST(an_engine_calibrates_where_asked) {
    static const char *const opts[] = {"sparsity=by=wanda", "sparsity=by=wanda,per=matrix,format=dense", "sparsity"};
    for (int i = 0; i < 3; i++) {
        struct trial t;
        struct error e = {0};
        struct engine g;
        struct engine_options o = {.roles = ROLES_GENERATE | ROLES_FORCED, .limits = {.prefill_rows = 17, .slots = 1, .positions = 18, .forced_rows = 17}};
        begin(&t, "cpu", DTYPE_BF16);
        ck_assert_int_eq(optimizer_parse("fusion", &t.a, &t.spec.uses[t.spec.n_uses++], &e), STATUS_OK);
        ck_assert_int_eq(optimizer_parse(opts[i], &t.a, &t.spec.uses[t.spec.n_uses++], &e), STATUS_OK);
        ck_assert_int_eq(calibration_wanted(&t.spec) != NULL, i < 2);
        ck_assert_msg(engine_open(&g, &t.spec, &t.model, &o, &e) == STATUS_OK, "%s", e.text);
        ck_assert_int_eq(g.rewrites[1].refused, 0);
        ck_assert_int_gt(g.rewrites[1].replaced, 0);
        int scored = 0;
        for (size_t k = 0; k < g.pipeline.programs[0].n_tensors; k++) {
            const struct recipe *w = g.pipeline.programs[0].tensors[k].recipe;
            scored += w && recipe_find(w, is_scored);
        }
        ck_assert_int_eq(scored > 0, i < 2);
        engine_close(&g);
        end(&t);
    }
}
END_TEST

START_TEST(what_cannot_be_seen_is_an_error) {
    struct trial t;
    struct error e = {0};
    struct input_norms *norms;
    int n;
    begin(&t, "cpu", DTYPE_F32);
    ck_assert_int_ne(calibrate(&t.spec, &t.model, "/no/such/text", &t.a, &norms, &n, &e), STATUS_OK);
    ck_assert_msg(strncmp(e.text, "calibration", 11) == 0, "%s", e.text);
    end(&t);
}
END_TEST

static void skip_without_golden(void) {
    if (!directory_exists(ASSAY_GOLDEN_DIR "/llm")) SKIP_TEST_PROGRAM("the golden references are not beside this checkout");
}
__attribute__((constructor)) static void before(void) { skip_without_golden(); }

TEST_MAIN("calibration", norms_are_those_of_the_reference, an_engine_calibrates_where_asked, what_cannot_be_seen_is_an_error)
