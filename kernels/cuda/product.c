#include "kernels/cuda/product.h"

#include <string.h>

#include "kernels/base/memory.h"

enum { MOST_CANDIDATES = 8, TIMED_RUNS = 3, WORKSPACE_BYTES = 64 << 20 };

struct product {
    struct product_shape shape;
    void *desc, *w, *x, *y;        /* layouts */
    struct blaslt_algorithm algorithm;
    size_t workspace_bytes;
    struct product *next;
};

struct products {
    const struct blaslt *library;
    const struct cuda_runtime *rt;
    void *stream, *handle, *workspace, *events[2];
    struct product *first;
};

enum status products_open(const struct blaslt *library, const struct cuda_runtime *rt, void *stream, struct products **out, struct error *e) {
    struct products *p = mem_alloc(sizeof *p);
    *p = (struct products){.library = library, .rt = rt, .stream = stream};
    *out = p;
    int code = library->Create(&p->handle);
    if (code != 0) return error_set(e, STATUS_BACKEND, "cuBLASLt cannot start (status %d)", code);
    code = rt->allocate(&p->workspace, WORKSPACE_BYTES);
    for (int i = 0; i < 2 && code == 0; i++) code = rt->event_open(&p->events[i]);
    return code == 0 ? STATUS_OK : error_set(e, STATUS_NO_MEMORY, "no device memory for cuBLASLt's workspace of %d bytes: %s", WORKSPACE_BYTES, rt->error_name(code));
}

static void product_close(const struct products *p, struct product *plan) {
    const struct blaslt *l = p->library;
    if (plan->desc) l->MatmulDescDestroy(plan->desc);
    if (plan->w) l->MatrixLayoutDestroy(plan->w);
    if (plan->x) l->MatrixLayoutDestroy(plan->x);
    if (plan->y) l->MatrixLayoutDestroy(plan->y);
    mem_free(plan);
}

void products_close(struct products *p) {
    if (!p) return;
    for (struct product *next; p->first; p->first = next) {
        next = p->first->next;
        product_close(p, p->first);
    }
    for (int i = 0; i < 2; i++)
        if (p->events[i]) p->rt->event_close(p->events[i]);
    if (p->workspace) p->rt->release(p->workspace);
    if (p->handle) p->library->Destroy(p->handle);
    mem_free(p);
}

size_t products_version(const struct products *p) { return p->library->GetVersion(); }

static int library_type(enum dtype t) { return t == DTYPE_F32 ? BLASLT_F32 : t == DTYPE_BF16 ? BLASLT_BF16 : BLASLT_F16; }

static int describe(const struct products *p, struct product *plan) {
    const struct blaslt *l = p->library;
    const struct product_shape *s = &plan->shape;
    int transposed = BLASLT_TRANSPOSED, epilogue = BLASLT_EPILOGUE_BIAS;
    uint64_t m = (uint64_t)s->m, n = (uint64_t)s->n, k = (uint64_t)s->k;
    int code = l->MatmulDescCreate(&plan->desc, BLASLT_COMPUTE_F32, BLASLT_F32);
    if (code == 0) code = l->MatmulDescSetAttribute(plan->desc, BLASLT_DESC_TRANSPOSE_A, &transposed, sizeof transposed);
    if (code == 0 && s->has_bias) code = l->MatmulDescSetAttribute(plan->desc, BLASLT_DESC_EPILOGUE, &epilogue, sizeof epilogue);
    if (code == 0) code = l->MatrixLayoutCreate(&plan->w, library_type(s->in), k, n, s->k);
    if (code == 0) code = l->MatrixLayoutCreate(&plan->x, library_type(s->in), k, m, s->k);
    if (code == 0) code = l->MatrixLayoutCreate(&plan->y, library_type(s->out), n, m, s->n);
    return code;
}

int product_run(const struct products *p, const struct product *plan, const struct product_data *d) {
    static const float one = 1, zero = 0;
    const struct blaslt *l = p->library;
    if (plan->shape.has_bias) {
        int code = l->MatmulDescSetAttribute(plan->desc, BLASLT_DESC_BIAS, &d->bias, sizeof d->bias);
        if (code != 0) return code;
    }
    return l->Matmul(p->handle, plan->desc, &one, d->w, plan->w, d->x, plan->x, &zero, d->y, plan->y, d->y, plan->y, &plan->algorithm, p->workspace,
                     WORKSPACE_BYTES, p->stream);
}

/* The least of a few runs, in ms; negative where the candidate does not run. */
static float time_candidate(const struct products *p, const struct product *plan, const struct product_data *d) {
    float least = -1;
    for (int i = 0; i <= TIMED_RUNS; i++) { /* the first one loads code */
        float ms = 0;
        p->rt->event_record(p->events[0], p->stream);
        if (product_run(p, plan, d) != 0) return -1;
        p->rt->event_record(p->events[1], p->stream);
        if (p->rt->event_wait(p->events[1]) != 0 || p->rt->event_elapsed(&ms, p->events[0], p->events[1]) != 0) return -1;
        if (i > 0 && (least < 0 || ms < least)) least = ms;
    }
    return least;
}

static int choose(const struct products *p, struct product *plan, const struct blaslt_candidate *c, int n, const struct product_data *d) {
    int best = -1;
    float least = 0;
    for (int i = 0; i < n; i++) {
        if (c[i].status != 0) continue;
        plan->algorithm = c[i].algorithm;
        float ms = time_candidate(p, plan, d);
        if (ms < 0 || (best >= 0 && ms >= least)) continue;
        best = i;
        least = ms;
    }
    if (best >= 0) plan->algorithm = c[best].algorithm;
    return best >= 0;
}

static int find_candidates(const struct products *p, const struct product *plan, struct blaslt_candidate *out, int *found) {
    const struct blaslt *l = p->library;
    void *preference = NULL;
    uint64_t most = WORKSPACE_BYTES;
    int code = l->MatmulPreferenceCreate(&preference);
    if (code == 0) code = l->MatmulPreferenceSetAttribute(preference, BLASLT_PREFERENCE_WORKSPACE, &most, sizeof most);
    if (code == 0) code = l->MatmulAlgoGetHeuristic(p->handle, plan->desc, plan->w, plan->x, plan->y, plan->y, preference, MOST_CANDIDATES, out, found);
    if (preference) l->MatmulPreferenceDestroy(preference);
    return code;
}

static int is_same_shape(const struct product_shape *a, const struct product_shape *b) {
    return a->m == b->m && a->n == b->n && a->k == b->k && a->in == b->in && a->out == b->out && a->has_bias == b->has_bias;
}

enum status products_plan(struct products *p, const struct product_shape *s, const struct product_data *data, struct product **out, struct error *e) {
    struct blaslt_candidate candidates[MOST_CANDIDATES];
    int found = 0;
    for (struct product *known = p->first; known; known = known->next)
        if (is_same_shape(&known->shape, s)) return *out = known, STATUS_OK;
    struct product *plan = mem_alloc(sizeof *plan);
    *plan = (struct product){.shape = *s};
    int code = describe(p, plan);
    if (code == 0) code = find_candidates(p, plan, candidates, &found);
    if (code != 0 || !choose(p, plan, candidates, found, data)) {
        product_close(p, plan);
        return error_set(e, STATUS_BACKEND, "cuBLASLt finds no way to multiply (%lld, %lld) by (%lld, %lld) in %s (status %d)", (long long)s->m, (long long)s->k,
                         (long long)s->k, (long long)s->n, dtype_name(s->in), code);
    }
    plan->next = p->first;
    p->first = plan;
    *out = plan;
    return STATUS_OK;
}
