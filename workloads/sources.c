#include "workloads/sources.h"

#include <string.h>

#include "kernels/base/random.h"

static int ends_with(const char *s, const char *end) {
    size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

static enum status find_in_checkpoint(void *self, const char *name, struct leaf *out, struct error *e) {
    const struct checkpoint *c = self;
    const struct checkpoint_tensor *t = checkpoint_find(c, name);
    if (!t) return error_set(e, STATUS_INPUT, "%s: tensor '%s' is missing", c->path, name);
    if (!t->encoding) return error_set(e, STATUS_UNSUPPORTED, "%s: tensor '%s' has type %s, not numbers that can be weights", c->path, name, dtype_name(t->dtype));
    if (t->n_dims < 1 || t->n_dims > 2)
        return error_set(e, STATUS_INPUT, "%s: tensor '%s' has %d dimensions; a weight has 1 or 2", c->path, name, t->n_dims);
    int is_column = t->n_dims == 1 && ends_with(name, ".bias");
    *out = (struct leaf){.name = t->name, .encoding = t->encoding, .data = t->data,
        .rows = t->n_dims == 2 || is_column ? t->dims[0] : 1,
        .cols = t->n_dims == 2 ? t->dims[1] : is_column ? 1 : t->dims[0]};
    return STATUS_OK;
}

struct weight_source checkpoint_weights(const struct checkpoint *c) {
    return (struct weight_source){.self = (void *)(uintptr_t)c, .find = find_in_checkpoint};
}

static int is_norm_weight(const char *name) { return strcasestr(name, "norm") && !ends_with(name, ".bias"); }

/* Irwin-Hall of four 16-bit uniforms: close to normal, one hash an element. */
static void fill_synthetic(const void *self, const char *name, int64_t r, float *y, int64_t cols) {
    const uint64_t *seed = self;
    uint64_t row_seed = hash_bytes(*seed, name, strlen(name)) ^ ((uint64_t)r * 0x9e3779b97f4a7c15u);
    const float scale = 0.02f / (65536.0f * 0.57735027f); /* sd of the sum: 65536·sqrt(4/12) */
    const float centre = is_norm_weight(name) ? 1.0f : 0.0f;
    for (int64_t c = 0; c < cols; c++) {
        uint64_t bits = random_mix(row_seed + (uint64_t)c * 0xd1342543de82ef95u);
        int32_t sum = (int32_t)((bits & 0xffff) + ((bits >> 16) & 0xffff) + ((bits >> 32) & 0xffff) + (bits >> 48)) - 131070;
        y[c] = centre + scale * (float)sum;
    }
}

/* The recipe's own shape is right by construction. */
static enum status find_synthetic(void *self, const char *name, struct leaf *out, struct error *e) {
    (void)e;
    *out = (struct leaf){.name = name, .rows = -1, .cols = -1, .encoding = &encoding_f32, .fill = fill_synthetic, .self = self};
    return STATUS_OK;
}

struct weight_source synthetic_weights(const uint64_t *seed) {
    return (struct weight_source){.self = (void *)(uintptr_t)seed, .is_synthetic = 1, .find = find_synthetic};
}
