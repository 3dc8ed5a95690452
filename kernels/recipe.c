#include "kernels/recipe.h"

#include <string.h>

#include "kernels/base/random.h"

/* ---- building ---- */

struct pruned {
    int is_known;
    struct prune_threshold threshold;
    int64_t *ties;                    /* (rows) elements at the threshold in the rows before */
};

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
    if (!encoding->row_bytes) return r;
    r->kept = arena_alloc(a, sizeof *r->kept);
    *r->kept = -1;
    return r;
}

const struct recipe *recipe_prune(struct arena *a, const struct recipe *part, const struct pruning *pruning) { return recipe_prune_scored(a, part, pruning, NULL); }

const struct recipe *recipe_prune_scored(struct arena *a, const struct recipe *part, const struct pruning *pruning, const float *norm) {
    struct recipe *r = new_recipe(a, RECIPE_PRUNE, part);
    r->pruning = *pruning;
    r->norm = norm;
    if (pruning->per != PRUNE_PER_MATRIX) return r;
    r->pruned = arena_alloc(a, sizeof *r->pruned);
    *r->pruned = (struct pruned){.ties = arena_alloc(a, (size_t)(r->rows + 1) * sizeof(int64_t))};
    return r;
}

const struct recipe *recipe_quantize(struct arena *a, const struct recipe *part, const struct encoding *encoding, const struct quantizer *rule) {
    struct recipe *r = new_recipe(a, RECIPE_ENCODE, part);
    r->encoding = encoding;
    r->rule = *rule;
    if (rule->rounding == QUANTIZE_HQQ) r->steps = arena_alloc(a, sizeof *r->steps);
    return r;
}

const struct recipe *recipe_round_inputs(struct arena *a, const struct recipe *encoded, int bits) {
    struct recipe *r = arena_alloc(a, sizeof *r);
    *r = *encoded;
    r->input_bits = bits;
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

/* ---- facts ---- */

static int is_written(const struct encoding *e) { return e->encode || e->groups; }

static const struct recipe *leaf_in_order(const struct recipe *r) { return r->kind == RECIPE_UNPERMUTE ? r->parts[0] : r; }

int recipe_is_verbatim(const struct recipe *r) { return r->kind == RECIPE_ENCODE && !is_written(r->encoding) && leaf_in_order(r->parts[0])->kind == RECIPE_LEAF; }

/* The group is where a weight lives, not what it is: it does not enter. */
uint64_t recipe_hash(const struct recipe *r) {
    int64_t facts[] = {r->kind, r->rows, r->cols, r->heads, r->n_parts, r->input_bits};
    uint64_t h = hash_bytes(1, facts, sizeof facts);
    if (r->leaf) h = hash_bytes(h, r->leaf, strlen(r->leaf));
    if (r->encoding) h = hash_bytes(h, r->encoding->name, strlen(r->encoding->name));
    int64_t rule[] = {r->rule.bits, r->rule.group, r->rule.rounding, r->rule.zero, r->rule.is_full_range, r->rule.is_first_zero_rounded};
    if (r->encoding && r->encoding->groups) h = hash_bytes(h, rule, sizeof rule);
    int64_t pruning[] = {r->pruning.per, r->pruning.n, r->pruning.m, (int64_t)(r->pruning.share * 1e9)};
    if (r->kind == RECIPE_PRUNE) h = hash_bytes(h, pruning, sizeof pruning);
    if (r->norm) h = hash_bytes(h, r->norm, (size_t)r->cols * sizeof *r->norm);
    for (int i = 0; i < r->n_parts; i++) {
        uint64_t part = recipe_hash(r->parts[i]);
        h = hash_bytes(h, &part, sizeof part);
    }
    return h;
}

double recipe_pruned_share(const struct recipe *r) {
    while (r->kind != RECIPE_PRUNE && r->kind != RECIPE_LEAF) r = r->parts[0];
    if (r->kind == RECIPE_LEAF) return 0;
    return r->pruning.per == PRUNE_N_OF_M ? (double)r->pruning.n / r->pruning.m : r->pruning.share;
}

/* Elements that are not stored: as counted, else those that pruning drops. */
static double left_out(const struct recipe *r) {
    double n = (double)r->rows * (double)r->cols;
    return *r->kept >= 0 ? n - (double)*r->kept : n * recipe_pruned_share(r);
}

double recipe_stored_bytes(const struct recipe *r, enum dtype t) {
    if (r->kind == RECIPE_ENCODE)
        return (double)encoding_row_bytes(r->encoding, r->cols) * (double)r->rows - (r->kept ? left_out(r) * r->encoding->block_bytes : 0);
    if (r->kind == RECIPE_LEAF) return (double)r->rows * (double)r->cols * (double)dtype_bytes(t);
    double bytes = 0;
    for (int i = 0; i < r->n_parts; i++) bytes += recipe_stored_bytes(r->parts[i], t);
    return bytes;
}

const struct recipe *recipe_find(const struct recipe *r, int (*is_it)(const struct recipe *r)) {
    if (is_it(r)) return r;
    for (int i = 0; i < r->n_parts; i++) {
        const struct recipe *found = recipe_find(r->parts[i], is_it);
        if (found) return found;
    }
    return NULL;
}

int recipe_input_bits(const struct recipe *r, int64_t row) {
    while (r->kind == RECIPE_CONCAT) {
        int i = 0;
        while (row >= r->parts[i]->rows) row -= r->parts[i++]->rows;
        r = r->parts[i];
    }
    return r->input_bits;
}

static int has_input_bits(const struct recipe *r) { return r->input_bits > 0; }

int recipe_rounds_inputs(const struct recipe *r) { return recipe_find(r, has_input_bits) != NULL; }

const char *recipe_name(const struct recipe *r) {
    while (r->kind != RECIPE_LEAF) r = r->parts[0];
    return r->leaf;
}

/* ---- checking ---- */

static enum status check_leaf(const struct recipe *r, const struct weight_source *source, struct error *e) {
    struct leaf leaf;
    enum status s = source->find(source->self, r->leaf, &leaf, e);
    if (s != STATUS_OK || leaf.fill) return s; /* a synthetic leaf has the shape that is asked for */
    if (leaf.rows != r->rows || leaf.cols != r->cols)
        return error_set(e, STATUS_INPUT, "tensor '%s' has shape [%lld, %lld], the configuration wants [%lld, %lld]",
                         r->leaf, (long long)leaf.rows, (long long)leaf.cols, (long long)r->rows, (long long)r->cols);
    if (r->cols % leaf.encoding->block != 0)
        return error_set(e, STATUS_INPUT, "tensor '%s' is stored as %s in blocks of %d, but its rows have %lld elements",
                         r->leaf, leaf.encoding->name, leaf.encoding->block, (long long)r->cols);
    return STATUS_OK;
}

static enum status check_step(const struct recipe *r, struct error *e) {
    if (r->kind == RECIPE_UNPERMUTE && (r->heads <= 0 || r->rows % (2 * (int64_t)r->heads) != 0))
        return error_set(e, STATUS_INPUT, "tensor '%s': %lld rows are not %d heads of an even width", recipe_name(r),
                         (long long)r->rows, r->heads);
    if (r->kind == RECIPE_ENCODE && !is_written(r->encoding) && !recipe_is_verbatim(r))
        return error_set(e, STATUS_UNSUPPORTED, "tensor '%s': %s is read, never written", recipe_name(r), r->encoding->name);
    if (r->kind == RECIPE_ENCODE && r->cols % r->encoding->block != 0)
        return error_set(e, STATUS_UNSUPPORTED, "tensor '%s': rows of %lld elements do not fit %s, in blocks of %d",
                         recipe_name(r), (long long)r->cols, r->encoding->name, r->encoding->block);
    if (r->kind == RECIPE_PRUNE && prune_check(&r->pruning, r->cols, e) != STATUS_OK) return error_prefix(e, "tensor '%s'", recipe_name(r));
    for (int i = 1; r->kind == RECIPE_CONCAT && i < r->n_parts; i++)
        if (r->parts[i]->cols != r->cols)
            return error_set(e, STATUS_INTERNAL, "tensors '%s' [%lld, %lld] and '%s' [%lld, %lld] cannot be stacked",
                             recipe_name(r), (long long)r->parts[0]->rows, (long long)r->cols, recipe_name(r->parts[i]),
                             (long long)r->parts[i]->rows, (long long)r->parts[i]->cols);
    return STATUS_OK;
}

/* The leaf of a recipe that is verbatim, which must lie in the source as the recipe has it. */
static enum status find_verbatim(const struct recipe *r, const struct weight_source *source, struct leaf *out, struct error *e) {
    enum status s = source->find(source->self, recipe_name(r), out, e);
    if (s != STATUS_OK || (!out->fill && out->encoding == r->encoding)) return s;
    return error_set(e, STATUS_UNSUPPORTED, "tensor '%s': %s is read, never written, and the tensor is %s%s", recipe_name(r), r->encoding->name,
                     out->fill ? "synthetic" : "stored as ", out->fill ? "" : out->encoding->name);
}

enum status recipe_check(const struct recipe *r, const struct weight_source *source, struct error *e) {
    if (r->kind == RECIPE_LEAF) return check_leaf(r, source, e);
    struct leaf leaf;
    enum status s = recipe_is_verbatim(r) ? find_verbatim(r, source, &leaf, e) : STATUS_OK;
    if (s == STATUS_OK) s = check_step(r, e);
    for (int i = 0; i < r->n_parts && s == STATUS_OK; i++) s = recipe_check(r->parts[i], source, e);
    return s;
}

/* ---- decoding ---- */

static void decode_leaf_row(const struct recipe *r, const struct leaf *leaf, int64_t row, float *y) {
    if (leaf->fill) leaf->fill(leaf->self, r->leaf, row, y, r->cols);
    else leaf->encoding->decode((const char *)leaf->data + (size_t)row * encoding_row_bytes(leaf->encoding, r->cols), y, r->cols);
}

static enum status decode_leaf(const struct recipe *r, const struct weight_source *w, int64_t first, int64_t n, float *y,
                               struct error *e) {
    struct leaf leaf;
    enum status s = w->find(w->self, r->leaf, &leaf, e);
    for (int64_t i = 0; i < n && s == STATUS_OK; i++) decode_leaf_row(r, &leaf, first + i, y + i * r->cols);
    return s;
}

/* Row h·K + s·K/2 + j of the halves order is row h·K + 2j + s of the interleaved one. */
static int64_t interleaved_row(const struct recipe *r, int64_t row) {
    int64_t k = r->rows / r->heads, h = row / k, within = row % k, s = within / (k / 2), j = within % (k / 2);
    return h * k + 2 * j + s;
}

static enum status decode_unpermuted(const struct recipe *r, const struct weight_source *w, int64_t first, int64_t n,
                                     float *y, struct error *e) {
    const struct recipe *part = r->parts[0];
    enum status s = STATUS_OK;
    struct leaf leaf = {0};
    if (part->kind == RECIPE_LEAF) s = w->find(w->self, part->leaf, &leaf, e); /* looked up once, not for every row */
    for (int64_t i = 0; i < n && s == STATUS_OK; i++) {
        int64_t row = interleaved_row(r, first + i);
        if (part->kind == RECIPE_LEAF) decode_leaf_row(part, &leaf, row, y + i * r->cols);
        else s = recipe_decode(part, w, row, 1, y + i * r->cols, e);
    }
    return s;
}

/* Ties of the batch's first row are what is left of the matrix's after the rows before it. */
static enum status prune_batch(const struct recipe *r, const struct prune_rows *rows, uint32_t *mask, struct error *e) {
    if (r->pruning.per != PRUNE_PER_MATRIX) return prune(&r->pruning, rows, mask, e);
    if (!r->pruned->is_known) return error_set(e, STATUS_INTERNAL, "tensor '%s' is pruned before its threshold is known", recipe_name(r));
    int64_t before = r->pruned->ties[rows->first], all = r->pruned->threshold.ties, ties = all > before ? all - before : 0;
    prune_mask(&r->pruned->threshold, rows, &ties, mask);
    return STATUS_OK;
}

static enum status decode_pruned(const struct recipe *r, const struct weight_source *w, int64_t first, int64_t n, float *y, struct error *e) {
    uint32_t *mask = mem_alloc((size_t)(n * mask_words(r->cols) + 1) * sizeof *mask);
    enum status s = recipe_decode(r->parts[0], w, first, n, y, e);
    if (s == STATUS_OK && prune_batch(r, &(struct prune_rows){.w = y, .norm = r->norm, .first = first, .rows = n, .cols = r->cols}, mask, e) != STATUS_OK)
        s = error_prefix(e, "tensor '%s'", recipe_name(r));
    for (int64_t i = 0; i < n && s == STATUS_OK; i++)
        for (int64_t j = 0; j < r->cols; j++)
            if (!mask_get(mask + i * mask_words(r->cols), j)) y[i * r->cols + j] = 0;
    mem_free(mask);
    return s;
}

/* One row as ENCODE stores it. */
static enum status encode_row(const struct recipe *r, const float *y, int64_t at, void *row, struct error *e) {
    if (!r->encoding->groups) return r->encoding->encode(y, row, r->cols), STATUS_OK;
    struct quantizer rule = r->rule;
    if (r->steps) rule.steps = *r->steps;
    enum status s = grouped_encode(r->encoding->groups, &rule, y, at, row, r->cols, e);
    return s == STATUS_OK ? s : (error_prefix(e, "tensor '%s'", recipe_name(r)), s);
}

static enum status decode_encoded(const struct recipe *r, const struct weight_source *w, int64_t first, int64_t n, float *y,
                                  struct error *e) {
    enum status s = recipe_decode(r->parts[0], w, first, n, y, e);
    if (recipe_is_verbatim(r)) return s; /* the source's numbers */
    void *row = mem_alloc(encoding_row_bytes(r->encoding, r->cols));
    for (int64_t i = 0; i < n && s == STATUS_OK; i++) {
        s = encode_row(r, y + i * r->cols, first + i, row, e);
        if (s == STATUS_OK) r->encoding->decode(row, y + i * r->cols, r->cols);
    }
    mem_free(row);
    return s;
}

static enum status decode_concat(const struct recipe *r, const struct weight_source *w, int64_t first, int64_t n, float *y,
                                 struct error *e) {
    int64_t begin = 0;
    for (int p = 0; p < r->n_parts; p++) {
        int64_t end = begin + r->parts[p]->rows;
        int64_t from = first > begin ? first : begin, to = first + n < end ? first + n : end;
        if (from < to) {
            enum status s = recipe_decode(r->parts[p], w, from - begin, to - from, y + (from - first) * r->cols, e);
            if (s != STATUS_OK) return s;
        }
        begin = end;
    }
    return STATUS_OK;
}

enum status recipe_decode(const struct recipe *r, const struct weight_source *source, int64_t first, int64_t n, float *y,
                          struct error *e) {
    switch (r->kind) {
    case RECIPE_LEAF: return decode_leaf(r, source, first, n, y, e);
    case RECIPE_UNPERMUTE: return decode_unpermuted(r, source, first, n, y, e);
    case RECIPE_PRUNE: return decode_pruned(r, source, first, n, y, e);
    case RECIPE_ENCODE: return decode_encoded(r, source, first, n, y, e);
    case RECIPE_CONCAT: return decode_concat(r, source, first, n, y, e);
    }
    return error_set(e, STATUS_INTERNAL, "recipe of kind %d", (int)r->kind);
}

/* Rows as they lie, in order. */
static enum status store_verbatim(const struct recipe *r, const struct weight_source *source, int64_t first, int64_t n, void *to, size_t stride, struct error *e) {
    const struct recipe *part = r->parts[0];
    size_t bytes = encoding_row_bytes(r->encoding, r->cols);
    struct leaf leaf;
    enum status s = find_verbatim(r, source, &leaf, e);
    for (int64_t i = 0; i < n && s == STATUS_OK; i++) {
        int64_t row = part->kind == RECIPE_UNPERMUTE ? interleaved_row(part, first + i) : first + i;
        memcpy((char *)to + (size_t)i * stride, (const char *)leaf.data + (size_t)row * bytes, bytes);
    }
    return s;
}

enum status recipe_store(const struct recipe *r, const struct weight_source *source, const struct encoding *as, int64_t first, int64_t n,
                         void *to, size_t stride, float *scratch, struct error *e) {
    int is_own = r->kind == RECIPE_ENCODE && r->encoding == as;
    if (is_own && recipe_is_verbatim(r)) return store_verbatim(r, source, first, n, to, stride, e);
    enum status s = recipe_decode(is_own ? r->parts[0] : r, source, first, n, scratch, e);
    for (int64_t i = 0; i < n && s == STATUS_OK; i++) {
        void *row = (char *)to + (size_t)i * stride;
        if (is_own) s = encode_row(r, scratch + i * r->cols, first + i, row, e);
        else as->encode(scratch + i * r->cols, row, r->cols);
    }
    return s;
}

/* ---- facts of whole matrices ---- */

struct settling {
    const struct recipe *recipe;
    const struct weight_source *source;
    int n;                            /* hands */
    struct hqq_errors *errors;        /* of each, for HQQ */
    struct prune_selection *counts;   /* of each, for pruning; NULL while ties are counted */
    struct error *failures;
    /* What is done with a batch of rows. */
    enum status (*see)(struct settling *k, int member, int64_t first, int64_t n, const float *rows, struct error *e);
};

static enum status see_errors(struct settling *k, int member, int64_t first, int64_t n, const float *rows, struct error *e) {
    const struct recipe *r = k->recipe;
    struct quantize_groups groups;
    enum status s = quantize_groups_of(&r->rule, n, r->cols, 1, &groups, e);
    groups.first = first * r->cols;
    return s == STATUS_OK ? hqq_errors(&r->rule, &groups, rows, &k->errors[member], e) : s;
}

static enum status see_scores(struct settling *k, int member, int64_t first, int64_t n, const float *rows, struct error *e) {
    return prune_count(&k->counts[member], &(struct prune_rows){.w = rows, .norm = k->recipe->norm, .first = first, .rows = n, .cols = k->recipe->cols}, e);
}

static enum status see_ties(struct settling *k, int member, int64_t first, int64_t n, const float *rows, struct error *e) {
    const struct recipe *r = k->recipe;
    (void)member, (void)e;
    for (int64_t i = 0; i < n; i++)
        r->pruned->ties[first + i + 1] = prune_ties(&r->pruned->threshold, &(struct prune_rows){.w = rows + i * r->cols, .norm = r->norm, .first = first + i, .rows = 1, .cols = r->cols});
    return STATUS_OK;
}

/* This member's rows, in batches. */
static void settle_member(void *arg, int member) {
    enum { BATCH_FLOATS = 1 << 16 };
    struct settling *k = arg;
    const struct recipe *r = k->recipe;
    int64_t last = r->rows * (member + 1) / k->n, batch = BATCH_FLOATS / (r->cols > 0 ? r->cols : 1) + 1;
    float *rows = mem_alloc((size_t)(batch * r->cols) * sizeof *rows);
    struct error *e = &k->failures[member];
    for (int64_t at = r->rows * member / k->n; at < last && e->status == STATUS_OK; at += batch) {
        int64_t n = last - at < batch ? last - at : batch;
        if (recipe_decode(r->parts[0], k->source, at, n, rows, e) == STATUS_OK) k->see(k, member, at, n, rows, e);
    }
    mem_free(rows);
}

static void run_alone(void *self, void (*work)(void *arg, int member), void *arg) {
    (void)self;
    work(arg, 0);
}

static enum status see_all(struct settling *k, const struct hands *h, enum status (*see)(struct settling *, int, int64_t, int64_t, const float *, struct error *),
                           struct error *e) {
    k->see = see;
    h->run(h->self, settle_member, k);
    for (int i = 0; i < k->n; i++)
        if (k->failures[i].status != STATUS_OK) return error_set(e, k->failures[i].status, "tensor '%s': %s", recipe_name(k->recipe), k->failures[i].text);
    return STATUS_OK;
}

static enum status settle_steps(struct settling *k, const struct hands *h, struct error *e) {
    const struct recipe *r = k->recipe;
    k->errors = mem_alloc((size_t)k->n * sizeof *k->errors);
    enum status s = see_all(k, h, see_errors, e);
    for (int i = 1; i < k->n && s == STATUS_OK; i++) hqq_errors_add(&k->errors[0], &k->errors[i]);
    if (s == STATUS_OK) *r->steps = hqq_steps(&k->errors[0], r->rows * r->cols);
    mem_free(k->errors);
    return s;
}

/* Everybody counts into a copy; the first one's has the sum. */
static enum status count_scores(struct settling *k, const struct hands *h, struct error *e) {
    for (int i = 1; i < k->n; i++) k->counts[i] = k->counts[0];
    enum status s = see_all(k, h, see_scores, e);
    for (int i = 1; i < k->n; i++) prune_selection_add(&k->counts[0], &k->counts[i]);
    return s;
}

static enum status settle_threshold(struct settling *k, const struct hands *h, struct error *e) {
    const struct recipe *r = k->recipe;
    k->counts = mem_alloc((size_t)k->n * sizeof *k->counts);
    prune_selection_begin(&k->counts[0], &r->pruning, r->rows * r->cols);
    enum status s = count_scores(k, h, e);
    if (s == STATUS_OK) {
        prune_selection_narrow(&k->counts[0]);
        s = count_scores(k, h, e);
    }
    if (s == STATUS_OK) {
        r->pruned->threshold = prune_selection_end(&k->counts[0]);
        s = see_all(k, h, see_ties, e);
    }
    for (int64_t i = 0; i < r->rows && s == STATUS_OK; i++) r->pruned->ties[i + 1] += r->pruned->ties[i];
    r->pruned->is_known = s == STATUS_OK;
    mem_free(k->counts);
    return s;
}

static enum status settle(const struct recipe *r, const struct weight_source *source, const struct hands *hands, struct error *e) {
    static const struct hands alone = {run_alone, NULL, 1};
    const struct hands *h = hands ? hands : &alone;
    struct settling k = {.recipe = r, .source = source, .n = h->n, .failures = mem_alloc((size_t)h->n * sizeof *k.failures)};
    enum status s = STATUS_OK;
    if (r->steps && *r->steps == 0 && r->rows * r->cols > 0) s = settle_steps(&k, h, e);
    if (s == STATUS_OK && r->pruned && !r->pruned->is_known) s = settle_threshold(&k, h, e);
    mem_free(k.failures);
    return s;
}

enum status recipe_settle(const struct recipe *r, const struct weight_source *source, const struct hands *hands, struct error *e) {
    enum status s = STATUS_OK;
    for (int i = 0; i < r->n_parts && s == STATUS_OK; i++) s = recipe_settle(r->parts[i], source, hands, e);
    return s == STATUS_OK && (r->steps || r->pruned) ? settle(r, source, hands, e) : s;
}

/* ---- segments ---- */

struct segment_list {
    const struct weight_source *source;
    struct recipe_segment *items;
    int n;
};

static enum status add_segments(struct segment_list *l, const struct recipe *r, int64_t first, struct error *e) {
    enum status s = STATUS_OK;
    if (r->kind == RECIPE_CONCAT) {
        for (int i = 0; i < r->n_parts && s == STATUS_OK; i++) {
            s = add_segments(l, r->parts[i], first, e);
            first += r->parts[i]->rows;
        }
        return s;
    }
    if (l->n == RECIPE_MAX_SEGMENTS)
        return error_set(e, STATUS_INTERNAL, "a weight is stacked from more than %d parts, '%s' is one too many",
                         RECIPE_MAX_SEGMENTS, recipe_name(r));
    struct recipe_segment *segment = &l->items[l->n++];
    *segment = (struct recipe_segment){.recipe = r, .first = first, .rows = r->rows, .cols = r->cols,
                                       .encoding = r->kind == RECIPE_ENCODE ? r->encoding : NULL};
    struct leaf leaf;
    const struct recipe *as_it_lies = recipe_is_verbatim(r) ? r->parts[0] : r;
    if (as_it_lies->kind == RECIPE_LEAF) s = l->source->find(l->source->self, as_it_lies->leaf, &leaf, e);
    if (as_it_lies->kind == RECIPE_LEAF && s == STATUS_OK && !leaf.fill) {
        segment->stored = leaf.encoding;
        segment->direct = leaf.data;
    }
    return s;
}

int recipe_segments(const struct recipe *r, const struct weight_source *source, struct recipe_segment *out, struct error *e) {
    struct segment_list l = {source, out, 0};
    return add_segments(&l, r, 0, e) == STATUS_OK ? l.n : 0;
}
