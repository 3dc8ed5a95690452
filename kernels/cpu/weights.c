/* weights.c: weights and angle tables on the device: one copy of each, and none where the mapped file will do. */
#include <math.h>
#include <string.h>

#include "kernels/base/random.h"
#include "kernels/cpu/cpu.h"
#include "kernels/cpu/strips.h"

/* ---- making a weight ---- */

enum { BATCH_BYTES = 1 << 18 }; /* decoded at a time by a member */

struct packing {
    struct cpu_device *d;
    const struct recipe *recipe;
    const struct weight_source *source;
    struct cpu_weight *weight;
    const struct cpu_segment *segment;
    const struct recipe *part;     /* of the segment's rows */
    struct error errors[TEAM_MAX_MEMBERS];
};

/* This member's rows of the segment, made a few at a time. Where rows differ in length they are made beside their place: the
 * first time to learn their lengths (`owned` is NULL), then to be moved there. */
static void pack_member(void *arg, int member) {
    struct packing *k = arg;
    const struct cpu_segment *s = k->segment;
    int64_t first, last, cols = k->weight->cols, batch = BATCH_BYTES / 4 / (cols > 0 ? cols : 1) + 1;
    cpu_slice(s->rows, 1, member, k->d->size, &first, &last);
    if (first == last) return;
    float *rows = mem_alloc((size_t)(batch * cols) * sizeof *rows);
    char *beside = s->starts ? mem_alloc((size_t)batch * s->stride) : NULL;
    for (int64_t r = first; r < last; r += batch) {
        int64_t n = last - r < batch ? last - r : batch;
        char *to = beside ? beside : (char *)s->owned + (size_t)r * s->stride;
        if (recipe_store(k->part, k->source, s->encoding, r, n, to, s->stride, rows, &k->errors[member]) != STATUS_OK) break;
        for (int64_t i = 0; beside && i < n; i++) {
            const char *row = beside + (size_t)i * s->stride;
            if (s->owned) memcpy((char *)s->owned + s->starts[r + i], row, s->starts[r + i + 1] - s->starts[r + i]);
            else s->starts[r + i + 1] = s->encoding->row_bytes(row, cols);
        }
    }
    mem_free(beside);
    mem_free(rows);
}

/* This member's strips, one at a time. */
static void strip_member(void *arg, int member) {
    struct packing *k = arg;
    const struct cpu_segment *s = k->segment;
    int64_t first, last, cols = k->weight->cols;
    cpu_slice(s->rows, STRIP_ROWS, member, k->d->size, &first, &last);
    if (first == last) return;
    float *rows = mem_alloc((size_t)(STRIP_ROWS * cols) * sizeof *rows);
    char *encoded = mem_alloc(STRIP_ROWS * s->stride), *scratch = mem_alloc(strip_scratch(cols));
    for (int64_t r = first; r < last; r += STRIP_ROWS) {
        int64_t n = last - r < STRIP_ROWS ? last - r : STRIP_ROWS;
        if (recipe_store(k->part, k->source, s->encoding, r, n, encoded, s->stride, rows, &k->errors[member]) != STATUS_OK) break;
        strip_pack(k->d->isa, s->encoding, encoded, s->stride, n, cols, (char *)s->owned + (size_t)(r / STRIP_ROWS) * s->strip_bytes, scratch);
    }
    mem_free(scratch);
    mem_free(encoded);
    mem_free(rows);
}

static enum status pack_rows(struct packing *k, struct error *e) {
    team_run(k->d->team, k->segment->strip_bytes ? strip_member : pack_member, k);
    for (int i = 0; i < k->d->size; i++)
        if (k->errors[i].status != STATUS_OK) return error_set(e, k->errors[i].status, "%s", k->errors[i].text);
    return STATUS_OK;
}

/* Kernels may read a register's width past the last row. */
enum { SLACK_BYTES = 64 };

/* Rows without their zeros, whose lengths are known, hold so many values. */
static int64_t kept_in(const struct cpu_segment *s, int64_t cols) {
    size_t most = encoding_row_bytes(s->encoding, cols) * (size_t)s->rows, left_out = (most - s->starts[s->rows]) / (size_t)s->encoding->block_bytes;
    return s->rows * cols - (int64_t)left_out;
}

static enum status pack_segment(struct packing *k, const struct recipe *part, struct cpu_segment *s, struct error *e) {
    enum status status = STATUS_OK;
    k->segment = s;
    k->part = part;
    s->owned_bytes = cpu_segment_bytes(s) + SLACK_BYTES;
    if (s->rounds_inputs && strips_fit(k->d->isa, s->encoding, k->weight->cols)) {
        s->strip_bytes = strip_bytes(s->encoding, k->weight->cols);
        s->owned_bytes = (size_t)((s->rows + STRIP_ROWS - 1) / STRIP_ROWS) * s->strip_bytes;
    }
    if (s->encoding->row_bytes) {
        s->starts = mem_alloc((size_t)(s->rows + 1) * sizeof *s->starts);
        status = pack_rows(k, e);
        for (int64_t r = 0; r < s->rows; r++) s->starts[r + 1] += s->starts[r];
        s->owned_bytes = cpu_segment_bytes(s) + SLACK_BYTES;
        if (status == STATUS_OK && part->kept) *part->kept = kept_in(s, k->weight->cols);
    }
    if (status != STATUS_OK) return status;
    s->owned = mem_try(s->owned_bytes);
    if (!s->owned) return error_set(e, STATUS_NO_MEMORY, "no memory for a weight of %zu bytes (%lld x %lld as %s)", s->owned_bytes,
                                    (long long)s->rows, (long long)k->weight->cols, s->encoding->name);
    s->data = s->owned;
    return pack_rows(k, e);
}

/* Bytes can be used where they lie if they are stored as wanted and the processor may load them there. */
static int is_usable(const struct recipe_segment *s, const struct encoding *want) {
    return s->direct && s->stored == want && (uintptr_t)s->direct % (want->block == 1 ? (size_t)want->block_bytes : 1) == 0;
}

static enum status fill_segments(struct packing *k, struct error *e) {
    struct cpu_weight *w = k->weight;
    struct recipe_segment parts[RECIPE_MAX_SEGMENTS];
    int n = recipe_segments(k->recipe, k->source, parts, e);
    if (n <= 0) return e->status;
    const struct encoding *dense = encoding_of_dtype(w->dtype);
    for (int i = 0; i < n; i++) {
        struct cpu_segment *s = &w->segments[w->n_segments++];
        *s = (struct cpu_segment){.first = parts[i].first, .rows = parts[i].rows, .encoding = parts[i].encoding ? parts[i].encoding : dense,
                                  .rounds_inputs = recipe_input_bits(parts[i].recipe, 0) > 0};
        s->stride = encoding_row_bytes(s->encoding, w->cols);
        s->data = is_usable(&parts[i], s->encoding) ? parts[i].direct : NULL;
        if (!s->data && !s->encoding->encode && !s->encoding->groups && !recipe_is_verbatim(parts[i].recipe)) return error_set(e, STATUS_UNSUPPORTED, "weights cannot be written as %s", s->encoding->name);
        enum status status = s->data ? STATUS_OK : pack_segment(k, parts[i].recipe, s, e);
        if (status != STATUS_OK) return status;
        device_loaded(&k->d->head, (double)cpu_segment_bytes(s));
    }
    return STATUS_OK;
}

/* A vector is wanted as one run of f32, stacked or not. */
static enum status fill_vector(struct packing *k, struct error *e) {
    struct cpu_weight *w = k->weight;
    struct recipe_segment parts[RECIPE_MAX_SEGMENTS];
    int n = recipe_segments(k->recipe, k->source, parts, e);
    if (n <= 0) return e->status;
    struct cpu_segment *s = &w->segments[w->n_segments++];
    *s = (struct cpu_segment){.rows = w->rows, .encoding = &encoding_f32, .stride = (size_t)w->cols * sizeof(float)};
    if (n == 1 && !parts[0].encoding && is_usable(&parts[0], &encoding_f32)) s->data = parts[0].direct;
    else return pack_segment(k, k->recipe, s, e);
    return STATUS_OK;
}

static void weight_free(struct cpu_weight *w) {
    for (int i = 0; i < w->n_segments; i++) {
        mem_try_free(w->segments[i].owned, w->segments[i].owned_bytes);
        mem_free(w->segments[i].starts);
    }
    mem_free(w);
}

enum status cpu_weight_get(struct cpu_device *d, const struct recipe *r, enum dtype t, int is_vector, const struct weight_source *source,
                           struct cpu_weight **out, struct error *e) {
    uint64_t hash = recipe_hash(r);
    for (size_t i = 0; i < d->n_weights; i++) {
        struct cpu_weight *w = d->weights[i];
        if (w->hash != hash || w->dtype != t || w->is_vector != is_vector || w->rows != r->rows || w->cols != r->cols) continue;
        w->users++;
        *out = w;
        return STATUS_OK;
    }
    struct cpu_weight *w = mem_alloc(sizeof *w);
    *w = (struct cpu_weight){.hash = hash, .dtype = t, .is_vector = is_vector, .rows = r->rows, .cols = r->cols, .users = 1};
    struct packing k = {.d = d, .recipe = r, .source = source, .weight = w};
    const struct hands hands = team_hands(d->team);
    enum status s = recipe_settle(r, source, &hands, e);
    if (s == STATUS_OK) s = is_vector ? fill_vector(&k, e) : fill_segments(&k, e);
    if (s != STATUS_OK) {
        weight_free(w);
        return error_prefix(e, "weight '%s'", recipe_name(r));
    }
    LIST_GROW(d->weights, d->n_weights, d->weight_capacity);
    d->weights[d->n_weights++] = *out = w;
    return STATUS_OK;
}

void cpu_weight_drop(struct cpu_device *d, struct cpu_weight *w) {
    if (!w || --w->users > 0) return;
    for (size_t i = 0; i < d->n_weights; i++)
        if (d->weights[i] == w) {
            d->weights[i] = d->weights[--d->n_weights];
            break;
        }
    weight_free(w);
}

/* ---- angles ---- */

struct turning {
    struct cpu_device *d;
    struct cpu_angles *a;
    const double *inv_freq;
};

static void angles_member(void *arg, int member) {
    struct turning *k = arg;
    struct cpu_angles *a = k->a;
    int64_t first, last;
    cpu_slice(a->positions, 1, member, k->d->size, &first, &last);
    for (int64_t p = first; p < last; p++)
        for (int64_t j = 0; j < a->half; j++) {
            double angle = (double)p * k->inv_freq[j];
            a->cosine[p * a->half + j] = (float)cos(angle);
            a->sine[p * a->half + j] = (float)sin(angle);
        }
}

enum status cpu_angles_get(struct cpu_device *d, const double *inv_freq, int64_t half, int64_t positions, struct cpu_angles **out,
                           struct error *e) {
    uint64_t hash = hash_bytes((uint64_t)positions, inv_freq, (size_t)half * sizeof *inv_freq);
    for (size_t i = 0; i < d->n_angles; i++)
        if (d->angles[i]->hash == hash && d->angles[i]->half == half && d->angles[i]->positions == positions) {
            d->angles[i]->users++;
            *out = d->angles[i];
            return STATUS_OK;
        }
    size_t bytes = (size_t)(positions * half) * sizeof(float);
    struct cpu_angles *a = mem_alloc(sizeof *a);
    *a = (struct cpu_angles){.hash = hash, .positions = positions, .half = half, .users = 1};
    a->cosine = mem_try(bytes);
    a->sine = mem_try(bytes);
    LIST_GROW(d->angles, d->n_angles, d->angle_capacity);
    d->angles[d->n_angles++] = a;
    if (!a->cosine || !a->sine) {
        cpu_angles_drop(d, a);
        return error_set(e, STATUS_NO_MEMORY, "no memory for rotation angles of %lld positions (%zu bytes)", (long long)positions, 2 * bytes);
    }
    team_run(d->team, angles_member, &(struct turning){d, a, inv_freq});
    *out = a;
    return STATUS_OK;
}

void cpu_angles_drop(struct cpu_device *d, struct cpu_angles *a) {
    if (!a || --a->users > 0) return;
    for (size_t i = 0; i < d->n_angles; i++)
        if (d->angles[i] == a) {
            d->angles[i] = d->angles[--d->n_angles];
            break;
        }
    mem_try_free(a->cosine, 0);
    mem_try_free(a->sine, 0);
    mem_free(a);
}
