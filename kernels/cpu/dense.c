#include "kernels/cpu/dense.h"

#include <dnnl.h>
#include <omp.h>
#include <stdio.h>

#include "kernels/base/memory.h"

/* ---- the library ---- */

void dense_limit_isa(enum isa_limit limit) {
    static const dnnl_cpu_isa_t isa[] = {dnnl_cpu_isa_sse41, dnnl_cpu_isa_avx2, dnnl_cpu_isa_avx512_core, dnnl_cpu_isa_avx512_core_bf16,
                                         dnnl_cpu_isa_all};
    dnnl_set_max_cpu_isa(isa[limit]); /* refused after first use: describe() says what is in force */
}

int dense_has_bf16(void) {
    int isa = (int)dnnl_get_effective_cpu_isa(), want = (int)dnnl_cpu_isa_avx512_core_bf16;
    return (isa & want) == want;
}

void dense_describe(char *to, size_t bytes) {
    static const struct { int isa; const char *name; } names[] = {
        {dnnl_cpu_isa_avx512_core_amx, "AMX"}, {dnnl_cpu_isa_avx512_core_bf16, "AVX-512 BF16"}, {dnnl_cpu_isa_avx512_core, "AVX-512"},
        {dnnl_cpu_isa_avx2, "AVX2"}, {dnnl_cpu_isa_avx, "AVX"}, {dnnl_cpu_isa_sse41, "SSE4.1"}};
    const dnnl_version_t *v = dnnl_version();
    int isa = (int)dnnl_get_effective_cpu_isa();
    size_t i = 0;
    while (i < sizeof names / sizeof *names && (isa & names[i].isa) != names[i].isa) i++;
    snprintf(to, bytes, "oneDNN %d.%d.%d (%s)", v->major, v->minor, v->patch, i < sizeof names / sizeof *names ? names[i].name : "plain");
}

int dense_single_thread(void) {
    int before = omp_get_max_threads();
    if (before != 1) omp_set_num_threads(1);
    return before;
}

void dense_restore_threads(int threads) {
    if (threads != 1) omp_set_num_threads(threads);
}

/* ---- sets of primitives ---- */

/* A member's handles: their addresses are set before each use. */
struct handles {
    dnnl_memory_t a, b, c, scratch;
};

struct product {
    struct dense_key key;
    dnnl_primitive_t primitive;
    struct handles *handles; /* of each member */
};

struct dense_set {
    dnnl_engine_t engine;
    dnnl_stream_t *streams;  /* of each member */
    struct product *products;
    size_t n, capacity, scratch_bytes;
    int members;
};

static enum status refused(struct error *e, dnnl_status_t code, const char *what) {
    return error_set(e, code == dnnl_out_of_memory ? STATUS_NO_MEMORY : STATUS_BACKEND, "oneDNN refuses %s (status %d)", what, (int)code);
}

struct dense_set *dense_set_open(int members) {
    struct dense_set *s = mem_alloc(sizeof *s);
    s->members = members;
    s->streams = mem_alloc((size_t)members * sizeof *s->streams);
    return s;
}

static void product_free(struct product *p, int members) {
    for (int i = 0; p->handles && i < members; i++) {
        struct handles *h = &p->handles[i];
        dnnl_memory_t all[] = {h->a, h->b, h->c, h->scratch};
        for (int j = 0; j < 4; j++)
            if (all[j]) dnnl_memory_destroy(all[j]);
    }
    mem_free(p->handles);
    if (p->primitive) dnnl_primitive_destroy(p->primitive);
}

void dense_set_close(struct dense_set *s) {
    if (!s) return;
    for (size_t i = 0; i < s->n; i++) product_free(&s->products[i], s->members);
    for (int i = 0; i < s->members; i++)
        if (s->streams[i]) dnnl_stream_destroy(s->streams[i]);
    if (s->engine) dnnl_engine_destroy(s->engine);
    mem_free(s->products);
    mem_free(s->streams);
    mem_free(s);
}

size_t dense_set_scratch(const struct dense_set *s) { return s->scratch_bytes; }

static enum status open_engine(struct dense_set *s, struct error *e) {
    if (s->engine) return STATUS_OK;
    dnnl_status_t code = dnnl_engine_create(&s->engine, dnnl_cpu, 0);
    if (code != dnnl_success) return refused(e, code, "an engine");
    for (int i = 0; i < s->members; i++)
        if ((code = dnnl_stream_create(&s->streams[i], s->engine, dnnl_stream_default_flags)) != dnnl_success) return refused(e, code, "a stream");
    return STATUS_OK;
}

static dnnl_status_t describe_matrix(dnnl_memory_desc_t *d, int64_t rows, int64_t cols, int64_t row_step, int64_t col_step, dnnl_data_type_t t) {
    const dnnl_dims_t dims = {rows, cols}, steps = {row_step, col_step};
    return dnnl_memory_desc_init_by_strides(d, 2, dims, t, steps);
}

/* b is given as the (k, n) view of its (n, k) rows. */
static dnnl_status_t describe_product(const struct dense_key *k, dnnl_memory_desc_t md[3], dnnl_matmul_desc_t *d) {
    dnnl_data_type_t t = k->t == DTYPE_BF16 ? dnnl_bf16 : dnnl_f32;
    dnnl_status_t code = describe_matrix(&md[0], k->m, k->k, k->a_stride, 1, t);
    if (code == dnnl_success) code = describe_matrix(&md[1], k->k, k->n, 1, k->b_stride, t);
    if (code == dnnl_success) code = describe_matrix(&md[2], k->m, k->n, k->c_stride, 1, dnnl_f32);
    return code == dnnl_success ? dnnl_matmul_desc_init(d, &md[0], &md[1], NULL, &md[2]) : code;
}

static dnnl_status_t make_handles(struct dense_set *s, struct product *p, const dnnl_memory_desc_t md[3], const dnnl_memory_desc_t *scratch) {
    dnnl_status_t code = dnnl_success;
    p->handles = mem_alloc((size_t)s->members * sizeof *p->handles);
    for (int i = 0; i < s->members && code == dnnl_success; i++) {
        struct handles *h = &p->handles[i];
        code = dnnl_memory_create(&h->a, &md[0], s->engine, DNNL_MEMORY_NONE);
        if (code == dnnl_success) code = dnnl_memory_create(&h->b, &md[1], s->engine, DNNL_MEMORY_NONE);
        if (code == dnnl_success) code = dnnl_memory_create(&h->c, &md[2], s->engine, DNNL_MEMORY_NONE);
        if (code == dnnl_success) code = dnnl_memory_create(&h->scratch, scratch, s->engine, DNNL_MEMORY_NONE);
    }
    return code;
}

static dnnl_status_t make_product(struct dense_set *s, struct product *p) {
    dnnl_memory_desc_t md[3];
    dnnl_matmul_desc_t d;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_status_t code = describe_product(&p->key, md, &d);
    if (code == dnnl_success) code = dnnl_primitive_attr_create(&attr);
    if (code == dnnl_success) code = dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
    if (code == dnnl_success) code = dnnl_primitive_desc_create(&pd, &d, attr, s->engine, NULL);
    if (code == dnnl_success) code = dnnl_primitive_create(&p->primitive, pd);
    if (code == dnnl_success) {
        const dnnl_memory_desc_t *scratch = dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
        size_t bytes = dnnl_memory_desc_get_size(scratch);
        if (bytes > s->scratch_bytes) s->scratch_bytes = bytes;
        code = make_handles(s, p, md, scratch);
    }
    if (pd) dnnl_primitive_desc_destroy(pd);
    if (attr) dnnl_primitive_attr_destroy(attr);
    return code;
}

static int is_same(const struct dense_key *a, const struct dense_key *b) {
    return a->m == b->m && a->n == b->n && a->k == b->k && a->a_stride == b->a_stride && a->b_stride == b->b_stride &&
           a->c_stride == b->c_stride && a->t == b->t;
}

static struct product *find(struct dense_set *s, const struct dense_key *key) {
    for (size_t i = 0; i < s->n; i++)
        if (is_same(&s->products[i].key, key)) return &s->products[i];
    return NULL;
}

enum status dense_set_add(struct dense_set *s, const struct dense_key *key, struct error *e) {
    if (find(s, key)) return STATUS_OK;
    enum status status = open_engine(s, e);
    if (status != STATUS_OK) return status;
    LIST_GROW(s->products, s->n, s->capacity);
    struct product *p = &s->products[s->n];
    *p = (struct product){.key = *key};
    dnnl_status_t code = make_product(s, p);
    if (code == dnnl_success) {
        s->n++;
        return STATUS_OK;
    }
    product_free(p, s->members);
    char what[128];
    snprintf(what, sizeof what, "a product of %lld x %lld x %lld in %s", (long long)key->m, (long long)key->n, (long long)key->k, dtype_name(key->t));
    return refused(e, code, what);
}

enum status dense_run(struct dense_set *s, const struct dense_key *key, int member, const void *a, const void *b, float *c, void *scratch) {
    struct product *p = find(s, key);
    if (!p) return STATUS_INTERNAL;
    struct handles *h = &p->handles[member];
    dnnl_memory_set_data_handle(h->a, (void *)(uintptr_t)a);
    dnnl_memory_set_data_handle(h->b, (void *)(uintptr_t)b);
    dnnl_memory_set_data_handle(h->c, c);
    dnnl_memory_set_data_handle(h->scratch, scratch);
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, h->a}, {DNNL_ARG_WEIGHTS, h->b}, {DNNL_ARG_DST, h->c}, {DNNL_ARG_SCRATCHPAD, h->scratch}};
    dnnl_status_t code = dnnl_primitive_execute(p->primitive, s->streams[member], 4, args);
    if (code == dnnl_success) code = dnnl_stream_wait(s->streams[member]);
    return code == dnnl_success ? STATUS_OK : STATUS_BACKEND;
}
