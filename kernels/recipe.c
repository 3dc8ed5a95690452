#include "kernels/recipe.h"

#include <string.h>

#include "kernels/base/random.h"

static struct recipe *new_recipe(struct arena *a, enum recipe_kind kind, const struct recipe *part) {
    struct recipe *r = arena_alloc(a, sizeof *r);
    *r = (struct recipe){.kind = kind, .group = -1};
    if (part) {
        r->rows = part->rows;
        r->cols = part->cols;
        r->group = part->group;
        r->parts[0] = part;
        r->n_parts = 1;
    }
    return r;
}

const struct recipe *recipe_leaf(struct arena *a, const char *leaf, int64_t rows, int64_t cols) {
    struct recipe *r = new_recipe(a, RECIPE_LEAF, NULL);
    r->leaf = arena_copy_string(a, leaf);
    r->rows = rows;
    r->cols = cols;
    return r;
}

const struct recipe *recipe_unpermute(struct arena *a, const struct recipe *part, int heads) {
    struct recipe *r = new_recipe(a, RECIPE_UNPERMUTE, part);
    r->heads = heads;
    return r;
}

const struct recipe *recipe_encode(struct arena *a, const struct recipe *part, const struct encoding *encoding) {
    struct recipe *r = new_recipe(a, RECIPE_ENCODE, part);
    r->encoding = encoding;
    return r;
}

const struct recipe *recipe_concat(struct arena *a, const struct recipe *const *parts, int n_parts) {
    struct recipe *r = new_recipe(a, RECIPE_CONCAT, parts[0]);
    r->rows = 0;
    r->n_parts = n_parts;
    for (int i = 0; i < n_parts; i++) {
        r->parts[i] = parts[i];
        r->rows += parts[i]->rows;
    }
    return r;
}

const struct recipe *recipe_in_group(struct arena *a, const struct recipe *part, int group) {
    struct recipe *r = arena_alloc(a, sizeof *r);
    *r = *part;
    r->group = group;
    return r;
}

uint64_t recipe_hash(const struct recipe *r) {
    int64_t facts[] = {r->kind, r->rows, r->cols, r->heads};
    uint64_t h = hash_bytes(1, facts, sizeof facts);
    if (r->leaf) h = hash_bytes(h, r->leaf, strlen(r->leaf));
    if (r->encoding) h = hash_bytes(h, r->encoding->name, strlen(r->encoding->name));
    for (int i = 0; i < r->n_parts; i++) {
        uint64_t part = recipe_hash(r->parts[i]);
        h = hash_bytes(h, &part, sizeof part);
    }
    return h;
}

enum status recipe_check(const struct recipe *r, const struct weight_source *source, struct error *e) {
    for (int i = 0; i < r->n_parts; i++) {
        enum status s = recipe_check(r->parts[i], source, e);
        if (s != STATUS_OK) return s;
    }
    struct leaf leaf;
    if (r->kind != RECIPE_LEAF) return STATUS_OK;
    enum status s = source->find(source->self, r->leaf, &leaf, e);
    if (s != STATUS_OK || leaf.fill) return s;
    if (leaf.rows != r->rows || leaf.cols != r->cols)
        return error_set(e, STATUS_INPUT, "tensor '%s' has shape [%lld, %lld], the configuration wants [%lld, %lld]", r->leaf,
                         (long long)leaf.rows, (long long)leaf.cols, (long long)r->rows, (long long)r->cols);
    return STATUS_OK;
}

/* ---- decoding ---- */

static enum status decode_leaf(const struct recipe *r, const struct weight_source *w, int64_t first, int64_t n, float *y, struct error *e) {
    struct leaf leaf;
    enum status s = w->find(w->self, r->leaf, &leaf, e);
    if (s != STATUS_OK) return s;
    size_t bytes = leaf.fill ? 0 : encoding_row_bytes(leaf.encoding, r->cols);
    for (int64_t i = 0; i < n; i++) {
        if (leaf.fill) leaf.fill(leaf.self, r->leaf, first + i, y + i * r->cols, r->cols);
        else leaf.encoding->decode((const char *)leaf.data + (size_t)(first + i) * bytes, y + i * r->cols, r->cols);
    }
    return STATUS_OK;
}

/* Row h·K + s·K/2 + j of the halves order is row h·K + 2j + s of the interleaved one. */
static int64_t interleaved_row(const struct recipe *r, int64_t row) {
    int64_t k = r->rows / r->heads, h = row / k, within = row % k, s = within / (k / 2), j = within % (k / 2);
    return h * k + 2 * j + s;
}

static enum status decode_rows(const struct recipe *r, const struct weight_source *w, int64_t first, int64_t n, float *y, struct error *e) {
    enum status s = STATUS_OK;
    for (int64_t i = 0; i < n && s == STATUS_OK; i++) s = recipe_decode(r->parts[0], w, interleaved_row(r, first + i), 1, y + i * r->cols, e);
    return s;
}

static enum status decode_encoded(const struct recipe *r, const struct weight_source *w, int64_t first, int64_t n, float *y, struct error *e) {
    enum status s = recipe_decode(r->parts[0], w, first, n, y, e);
    void *row = mem_alloc(encoding_row_bytes(r->encoding, r->cols));
    for (int64_t i = 0; i < n && s == STATUS_OK; i++) {
        r->encoding->encode(y + i * r->cols, row, r->cols);
        r->encoding->decode(row, y + i * r->cols, r->cols);
    }
    mem_free(row);
    return s;
}

static enum status decode_concat(const struct recipe *r, const struct weight_source *w, int64_t first, int64_t n, float *y, struct error *e) {
    int64_t begin = 0;
    for (int p = 0; p < r->n_parts; p++) {
        int64_t end = begin + r->parts[p]->rows, from = first > begin ? first : begin, to = first + n < end ? first + n : end;
        if (from < to) {
            enum status s = recipe_decode(r->parts[p], w, from - begin, to - from, y + (from - first) * r->cols, e);
            if (s != STATUS_OK) return s;
        }
        begin = end;
    }
    return STATUS_OK;
}

enum status recipe_decode(const struct recipe *r, const struct weight_source *w, int64_t first, int64_t n, float *y, struct error *e) {
    switch (r->kind) {
    case RECIPE_LEAF: return decode_leaf(r, w, first, n, y, e);
    case RECIPE_UNPERMUTE: return decode_rows(r, w, first, n, y, e);
    case RECIPE_ENCODE: return decode_encoded(r, w, first, n, y, e);
    case RECIPE_CONCAT: return decode_concat(r, w, first, n, y, e);
    }
    return error_set(e, STATUS_INTERNAL, "recipe of kind %d", (int)r->kind);
}

/* ---- segments ---- */

static int add_segments(const struct recipe *r, const struct weight_source *w, int64_t first, struct recipe_segment *out, int n, struct error *e) {
    if (r->kind == RECIPE_CONCAT) {
        for (int i = 0; i < r->n_parts && n > 0; i++) {
            n = add_segments(r->parts[i], w, first, out, n, e);
            first += r->parts[i]->rows;
        }
        return n;
    }
    if (n > RECIPE_MAX_SEGMENTS) return -1;
    struct recipe_segment *s = &out[n - 1];
    *s = (struct recipe_segment){.first = first, .rows = r->rows, .cols = r->cols, .encoding = r->kind == RECIPE_ENCODE ? r->encoding : NULL};
    struct leaf leaf;
    if (r->kind == RECIPE_LEAF) {
        if (w->find(w->self, r->leaf, &leaf, e) != STATUS_OK) return -1;
        s->stored = leaf.fill ? NULL : leaf.encoding;
        s->direct = leaf.fill ? NULL : leaf.data;
    }
    return n + 1;
}

int recipe_segments(const struct recipe *r, const struct weight_source *source, struct recipe_segment *out, struct error *e) {
    int n = add_segments(r, source, 0, out, 1, e);
    if (n > 0) return n - 1;
    error_set(e, STATUS_INTERNAL, "a weight has more than %d segments", RECIPE_MAX_SEGMENTS);
    return 0;
}
