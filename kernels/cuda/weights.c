/* weights.c: weights and angle tables on the device, one copy of each. A weight travels in pieces: all threads of the
 * host decode one half of the staging memory while the copy of the other half is under way. */
#include <math.h>
#include <string.h>

#include "kernels/base/random.h"
#include "kernels/cpu/team.h"
#include "kernels/cuda/cuda.h"

enum { HALF_BYTES = CUDA_STAGING_BYTES / 2 };

/* ---- rows of a recipe, as the device keeps them ---- */

struct packing {
    const struct recipe *recipe;
    const struct weight_source *source;
    const struct encoding *as;     /* dense, of the device's type */
    int64_t first, n, cols;        /* rows of this piece */
    char *to;
    int members;
    struct error errors[TEAM_MAX_MEMBERS];
};

static void pack_member(void *arg, int member) {
    enum { BATCH_FLOATS = 1 << 16 };
    struct packing *k = arg;
    int64_t from = k->n * member / k->members, last = k->n * (member + 1) / k->members, batch = BATCH_FLOATS / (k->cols > 0 ? k->cols : 1) + 1;
    size_t stride = encoding_row_bytes(k->as, k->cols);
    float *rows = mem_alloc((size_t)(batch * k->cols) * sizeof *rows);
    for (int64_t r = from; r < last; r += batch) {
        int64_t n = last - r < batch ? last - r : batch;
        if (recipe_decode(k->recipe, k->source, k->first + r, n, rows, &k->errors[member]) != STATUS_OK) break;
        for (int64_t i = 0; i < n; i++) k->as->encode(rows + i * k->cols, k->to + (size_t)(r + i) * stride, k->cols);
    }
    mem_free(rows);
}

static enum status pack_piece(struct cuda_device *d, struct packing *k, struct error *e) {
    k->members = team_size(d->team);
    team_run(d->team, pack_member, k);
    for (int i = 0; i < k->members; i++)
        if (k->errors[i].status != STATUS_OK) return error_set(e, k->errors[i].status, "%s", k->errors[i].text);
    return STATUS_OK;
}

static enum status send_rows(struct cuda_device *d, struct packing *k, int64_t rows, char *to, void *events[2], struct error *e) {
    size_t stride = encoding_row_bytes(k->as, k->cols);
    int64_t each = (int64_t)((size_t)HALF_BYTES / (stride ? stride : 1));
    if (each == 0) return error_set(e, STATUS_UNSUPPORTED, "a row of %zu bytes is longer than the staging memory", stride);
    for (int64_t piece = 0; piece * each < rows; piece++) {
        k->first = piece * each;
        k->n = rows - k->first < each ? rows - k->first : each;
        k->to = (char *)d->staging + piece % 2 * HALF_BYTES;
        int code = piece >= 2 ? d->rt->event_wait(events[piece % 2]) : 0;
        enum status s = code == 0 ? pack_piece(d, k, e) : STATUS_OK;
        if (s != STATUS_OK) return s;
        if (code == 0) code = d->rt->copy(to + (size_t)k->first * stride, k->to, (size_t)k->n * stride, CUDA_TO_DEVICE, d->stream);
        if (code == 0) code = d->rt->event_record(events[piece % 2], d->stream);
        if (code != 0) return cuda_error(d, code, "copying a weight to the device", e);
        device_loaded(&d->head, (double)k->n * (double)stride);
    }
    return cuda_wait(d, NULL, e);
}

static enum status upload(struct cuda_device *d, const struct recipe *r, const struct weight_source *source, struct cuda_weight *w, struct error *e) {
    struct packing k = {.recipe = r, .source = source, .as = encoding_of_dtype(w->dtype), .cols = w->cols};
    void *events[2] = {NULL, NULL};
    w->bytes = encoding_row_bytes(k.as, w->cols) * (size_t)w->rows;
    int code = d->rt->allocate(&w->data, w->bytes);
    for (int i = 0; i < 2 && code == 0; i++) code = d->rt->event_open(&events[i]);
    enum status s = code == 0 ? send_rows(d, &k, w->rows, w->data, events, e) : cuda_error(d, code, "allocating a weight", e);
    for (int i = 0; i < 2; i++)
        if (events[i]) d->rt->event_close(events[i]);
    return s;
}

/* ---- the list ---- */

enum status cuda_weight_get(struct cuda_device *d, const struct recipe *r, enum dtype t, int is_vector, const struct weight_source *source,
                            struct cuda_weight **out, struct error *e) {
    uint64_t hash = recipe_hash(r);
    for (size_t i = 0; i < d->n_weights; i++) {
        struct cuda_weight *w = d->weights[i];
        if (w->hash != hash || w->dtype != t || w->is_vector != is_vector || w->rows != r->rows || w->cols != r->cols) continue;
        w->users++;
        *out = w;
        return STATUS_OK;
    }
    struct cuda_weight *w = mem_alloc(sizeof *w);
    *w = (struct cuda_weight){.hash = hash, .dtype = t, .is_vector = is_vector, .rows = r->rows, .cols = r->cols, .users = 1};
    const struct hands hands = team_hands(d->team);
    enum status s = recipe_settle(r, source, &hands, e);
    if (s == STATUS_OK) s = upload(d, r, source, w, e);
    if (s != STATUS_OK) {
        cuda_free(d, w->data);
        mem_free(w);
        return error_prefix(e, "weight '%s'", recipe_name(r)), s;
    }
    LIST_GROW(d->weights, d->n_weights, d->weight_capacity);
    d->weights[d->n_weights++] = *out = w;
    return STATUS_OK;
}

void cuda_weight_drop(struct cuda_device *d, struct cuda_weight *w) {
    if (!w || --w->users > 0) return;
    for (size_t i = 0; i < d->n_weights; i++)
        if (d->weights[i] == w) {
            d->weights[i] = d->weights[--d->n_weights];
            break;
        }
    cuda_free(d, w->data);
    mem_free(w);
}

/* ---- angles ---- */

static void angles_of(const double *inv_freq, int64_t half, int64_t first, int64_t n, double (*turn)(double), float *to) {
    for (int64_t p = 0; p < n; p++)
        for (int64_t j = 0; j < half; j++) to[p * half + j] = (float)turn((double)(first + p) * inv_freq[j]);
}

static enum status send_angles(struct cuda_device *d, const double *inv_freq, double (*turn)(double), const struct cuda_angles *a, float *to, struct error *e) {
    int64_t each = (int64_t)(CUDA_STAGING_BYTES / sizeof(float)) / a->half;
    for (int64_t p = 0; p < a->positions; p += each) {
        int64_t n = a->positions - p < each ? a->positions - p : each;
        angles_of(inv_freq, a->half, p, n, turn, d->staging);
        int code = d->rt->copy(to + p * a->half, d->staging, (size_t)(n * a->half) * sizeof(float), CUDA_TO_DEVICE, d->stream);
        if (code != 0) return cuda_error(d, code, "copying rotation angles", e);
        enum status s = cuda_wait(d, NULL, e);
        if (s != STATUS_OK) return s;
    }
    return STATUS_OK;
}

enum status cuda_angles_get(struct cuda_device *d, const double *inv_freq, int64_t half, int64_t positions, struct cuda_angles **out, struct error *e) {
    uint64_t hash = hash_bytes((uint64_t)positions, inv_freq, (size_t)half * sizeof *inv_freq);
    for (size_t i = 0; i < d->n_angles; i++)
        if (d->angles[i]->hash == hash && d->angles[i]->half == half && d->angles[i]->positions == positions) {
            d->angles[i]->users++;
            *out = d->angles[i];
            return STATUS_OK;
        }
    size_t bytes = (size_t)(positions * half) * sizeof(float);
    struct cuda_angles *a = mem_alloc(sizeof *a);
    *a = (struct cuda_angles){.hash = hash, .positions = positions, .half = half, .users = 1};
    LIST_GROW(d->angles, d->n_angles, d->angle_capacity);
    d->angles[d->n_angles++] = a;
    int code = d->rt->allocate((void **)&a->cosine, bytes);
    if (code == 0) code = d->rt->allocate((void **)&a->sine, bytes);
    enum status s = code == 0 ? send_angles(d, inv_freq, cos, a, a->cosine, e) : cuda_error(d, code, "allocating rotation angles", e);
    if (s == STATUS_OK) s = send_angles(d, inv_freq, sin, a, a->sine, e);
    if (s == STATUS_OK) *out = a;
    else cuda_angles_drop(d, a);
    return s;
}

void cuda_angles_drop(struct cuda_device *d, struct cuda_angles *a) {
    if (!a || --a->users > 0) return;
    for (size_t i = 0; i < d->n_angles; i++)
        if (d->angles[i] == a) {
            d->angles[i] = d->angles[--d->n_angles];
            break;
        }
    cuda_free(d, a->cosine);
    cuda_free(d, a->sine);
    mem_free(a);
}
