/* Shapes of models from their files: rope kinds, biases, what is refused and in which words. */
#include <math.h>
#include <string.h>

#include "check_main.h"
#include "workloads/llm/model.h"

static const char base[] = "\"model_type\":\"llama\",\"architectures\":[\"LlamaForCausalLM\"],\"hidden_size\":64,\"num_hidden_layers\":2,"
                           "\"num_attention_heads\":4,\"intermediate_size\":96,\"vocab_size\":100,\"max_position_embeddings\":131072";

static enum status parse(const char *more, struct llm_config *c, struct error *e) {
    char *text = mem_printf("{%s%s%s}", base, *more ? "," : "", more);
    json_t *o = json_loads(text, 0, NULL);
    ck_assert_ptr_nonnull(o);
    *e = (struct error){0};
    enum status s = llm_config_from_json(o, c, e);
    json_decref(o);
    mem_free(text);
    return s;
}

static void assert_refused(const char *more, enum status status, const char *expected) {
    struct llm_config c;
    struct error e;
    ck_assert_int_eq(parse(more, &c, &e), status);
    ck_assert_msg(strstr(e.text, expected) != NULL, "'%s' lacks '%s'", e.text, expected);
}

START_TEST(defaults_and_heads) {
    struct llm_config c;
    struct error e;
    ck_assert_int_eq(parse("", &c, &e), STATUS_OK);
    ck_assert_int_eq(c.kv_heads, 4);
    ck_assert_int_eq(c.head_width, 16);
    ck_assert_int_eq(parse("\"num_key_value_heads\":2,\"head_dim\":24,\"attention_bias\":true,\"mlp_bias\":true,\"tie_word_embeddings\":true", &c, &e), STATUS_OK);
    ck_assert_int_eq(c.kv_heads, 2);
    ck_assert_int_eq(c.head_width, 24);
    ck_assert(c.has_qkv_bias && c.has_output_bias && c.has_mlp_bias && c.is_tied);
}
END_TEST

/* Figures computed from the published Llama 3.1 rule: factor 8, low 1, high 4, original context 8192, theta 5e5. */
START_TEST(llama3_scaling_blends) {
    struct llm_config c;
    struct error e;
    double f[64], plain[64];
    ck_assert_int_eq(parse("\"head_dim\":128,\"rope_theta\":500000.0", &c, &e), STATUS_OK);
    llm_frequencies(&c, NULL, plain);
    ck_assert_int_eq(parse("\"head_dim\":128,\"rope_theta\":500000.0,\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8.0,"
        "\"low_freq_factor\":1.0,\"high_freq_factor\":4.0,\"original_max_position_embeddings\":8192}", &c, &e), STATUS_OK);
    llm_frequencies(&c, NULL, f);
    ck_assert_double_eq(f[0], 1.0);
    ck_assert_double_eq_tol(f[63], plain[63] / 8, 1e-18);
    int n_between = 0;
    for (int j = 0; j < 64; j++) {
        ck_assert_double_le(f[j], plain[j]);
        ck_assert_double_ge(f[j], plain[j] / 8 * (1 - 1e-12));
        n_between += f[j] < plain[j] * 0.999 && f[j] > plain[j] / 8 * 1.001;
    }
    ck_assert_int_gt(n_between, 2);
}
END_TEST

START_TEST(linear_scaling_divides) {
    struct llm_config c;
    struct error e;
    double f[8];
    ck_assert_int_eq(parse("\"rope_scaling\":{\"type\":\"linear\",\"factor\":4}", &c, &e), STATUS_OK);
    llm_frequencies(&c, NULL, f);
    ck_assert_double_eq(f[0], 0.25);
    ck_assert_int_eq(parse("\"rope_parameters\":{\"rope_type\":\"default\",\"rope_theta\":100.0}", &c, &e), STATUS_OK);
    ck_assert_double_eq(c.rope_theta, 100.0);
}
END_TEST

START_TEST(what_is_not_supported_is_named) {
    assert_refused("\"hidden_act\":\"gelu\"", STATUS_UNSUPPORTED, "gelu");
    assert_refused("\"rope_scaling\":{\"rope_type\":\"yarn\",\"factor\":2}", STATUS_UNSUPPORTED, "yarn");
    assert_refused("\"num_key_value_heads\":3", STATUS_INPUT, "not a multiple");
    assert_refused("\"head_dim\":7", STATUS_INPUT, "odd");
    assert_refused("\"rms_norm_eps\":-1", STATUS_INPUT, "rms_norm_eps");
    assert_refused("\"num_key_value_heads\":\"two\"", STATUS_INPUT, "num_key_value_heads");
}
END_TEST

TEST_MAIN("llm_config", defaults_and_heads, llama3_scaling_blends, linear_scaling_divides, what_is_not_supported_is_named)
