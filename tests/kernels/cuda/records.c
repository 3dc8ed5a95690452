/* records.c: what a recorder makes of buffers of records, whichever library walks them. Include it once in a test program
 * that has check_main.h. */
#include "kernels/base/random.h"
#include "tests/kernels/cuda/records.h"

/* ---- a replay ---- */

struct replay {
    struct cupti library;          /* what walks the buffer; tests change what it answers */
    struct recorder *r;
    struct records b;
    struct activity a;             /* once taken */
};

static struct replay *begin(const struct cupti *library) {
    struct replay *x = mem_alloc(sizeof *x);
    x->library = *library;
    x->r = recorder_for_replay(&x->library);
    x->b.library = &x->library;
    return x;
}

static void take(struct replay *x) {
    struct error e = {0};
    ck_assert_int_eq(recorder_take(x->r, &x->a, &e), STATUS_OK);
    activity_join_calls(&x->a);
}

static void end(struct replay *x) {
    activity_free(&x->a);
    recorder_close(x->r);
    mem_free(x);
}

static void put_external(struct replay *x, uint32_t correlation, uint64_t owner) {
    RECORDS_PUT(&x->b, (struct cupti_external_record){.kind = CUPTI_EXTERNAL, .external_kind = CUPTI_EXTERNAL_CUSTOM0, .id = owner, .correlation = correlation});
}

static void put_call(struct replay *x, uint32_t correlation, const char *name, uint64_t start) {
    uint32_t callback = records_callback_of(&x->library, name);
    ck_assert_msg(callback, "the library knows no %s", name);
    RECORDS_PUT(&x->b, (struct cupti_call_record){.kind = CUPTI_RUNTIME, .callback = callback, .start = start, .end = start + 10,
                                                    .thread = 77, .correlation = correlation});
}

static void put_kernel(struct replay *x, uint32_t correlation, uint64_t node, uint64_t start, uint64_t end) {
    RECORDS_PUT(&x->b, (struct cupti_kernel_record){.kind = CUPTI_CONCURRENT_KERNEL, .start = start, .end = end, .device = 1, .stream = 7, .correlation = correlation,
                                                      .name = "gemm", .node = node});
}

static void ck_op(const struct activity *a, size_t i, const char *name, uint64_t owner, int64_t start, int64_t end) {
    ck_assert_uint_lt(i, a->n_ops);
    ck_assert_str_eq(a->names[a->ops[i].name], name);
    ck_assert_uint_eq(a->ops[i].owner, owner);
    ck_assert_int_eq(a->ops[i].start_ns, start);
    ck_assert_int_eq(a->ops[i].end_ns, end);
}

static void ck_integrity(const struct activity *a, int64_t dropped, int64_t untimed, int64_t unknown) {
    ck_assert_int_eq(a->integrity.dropped, dropped);
    ck_assert_int_eq(a->integrity.untimed, untimed);
    ck_assert_int_eq(a->integrity.unknown, unknown);
}

/* ---- each kind ---- */

static void kernels(const struct cupti *library) {
    struct replay *x = begin(library);
    put_external(x, 5, recorder_owner(3, 9));
    put_call(x, 5, "cudaLaunchKernel_v7000", 1000);
    put_kernel(x, 5, 0, 2000, 2300);
    put_kernel(x, 6, 0, 2400, 2500); /* launched before anything was pushed */
    records_read(&x->b, x->r, 0);
    take(x);
    ck_assert_uint_eq(x->a.n_ops, 2);
    ck_op(&x->a, 0, "gemm", recorder_owner(3, 9), 2000, 2300);
    ck_op(&x->a, 1, "gemm", 0, 2400, 2500);
    ck_assert_int_eq(x->a.ops[0].device, 1);
    ck_assert_int_eq(x->a.ops[0].stream, 7);
    ck_assert_int_eq(x->a.ops[0].kind, ACTIVITY_KERNEL);
    ck_assert_int_eq(x->a.ops[0].is_in_graph, 0);
    ck_assert_int_eq(x->a.ops[0].call, 0);
    ck_assert_int_eq(x->a.ops[1].call, -1);
    ck_integrity(&x->a, 0, 0, 0);
    end(x);
}

static void copies_and_sets(const struct cupti *library) {
    static const struct {
        uint8_t kind;
        const char *name;
    } copies[] = {{1, "copy host to device"}, {2, "copy device to host"}, {8, "copy on device"}, {10, "copy peer to peer"}, {200, "copy"}};
    enum { N_COPIES = sizeof copies / sizeof *copies };
    struct replay *x = begin(library);
    for (uint32_t i = 0; i < N_COPIES; i++)
        RECORDS_PUT(&x->b, (struct cupti_copy_record){.kind = CUPTI_COPY, .copy_kind = copies[i].kind, .bytes = (uint64_t)5 << 32, .start = 10 + i, .end = 20 + i, .correlation = i});
    RECORDS_PUT(&x->b, (struct cupti_set_record){.kind = CUPTI_SET, .bytes = 12, .start = 30, .end = 40, .stream = 3, .correlation = 99});
    records_read(&x->b, x->r, 0);
    take(x);
    ck_assert_uint_eq(x->a.n_ops, N_COPIES + 1);
    for (size_t i = 0; i < N_COPIES; i++) {
        ck_op(&x->a, i, copies[i].name, 0, 10 + (int64_t)i, 20 + (int64_t)i);
        ck_assert_int_eq(x->a.ops[i].kind, ACTIVITY_COPY);
        ck_assert_int_eq(x->a.ops[i].bytes, INT64_C(5) << 32);
    }
    ck_op(&x->a, N_COPIES, "set", 0, 30, 40);
    ck_assert_int_eq(x->a.ops[N_COPIES].kind, ACTIVITY_SET);
    ck_assert_int_eq(x->a.ops[N_COPIES].bytes, 12);
    ck_integrity(&x->a, 0, 0, 0);
    end(x);
}

static void calls(const struct cupti *library) {
    struct replay *x = begin(library);
    put_call(x, 1, "cudaMemcpyAsync_v3020", 100);
    put_call(x, 2, "cudaGetDevice_v3020", 200); /* only asks */
    put_call(x, 3, "cudaDeviceSynchronize_v3020", 300);
    put_call(x, 4, "cudaGraphLaunch_v10000", 400);
    RECORDS_PUT(&x->b, (struct cupti_call_record){.kind = CUPTI_RUNTIME, .callback = UINT32_MAX, .start = 500, .end = 510, .correlation = 5});
    records_read(&x->b, x->r, 0);
    take(x);
    static const char *const names[] = {"cudaMemcpyAsync_v3020", "cudaDeviceSynchronize_v3020", "cudaGraphLaunch_v10000", "?"};
    ck_assert_uint_eq(x->a.n_calls, 4);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_str_eq(x->a.names[x->a.calls[i].name], names[i]);
        ck_assert_int_eq(x->a.calls[i].is_blocking, i == 1);
        ck_assert_int_eq(x->a.calls[i].is_graph_launch, i == 2);
        ck_assert_int_eq(x->a.calls[i].end_ns - x->a.calls[i].start_ns, 10);
    }
    ck_assert_int_eq(x->a.calls[0].thread, 77);
    end(x);
}

/* Ids of another kind are a framework's, not ours. */
static void foreign_ids(const struct cupti *library) {
    enum { CUSTOM1 = 4 };
    struct replay *x = begin(library);
    RECORDS_PUT(&x->b, (struct cupti_external_record){.kind = CUPTI_EXTERNAL, .external_kind = CUSTOM1, .id = 12, .correlation = 5});
    put_kernel(x, 5, 0, 10, 20);
    records_read(&x->b, x->r, 0);
    take(x);
    ck_op(&x->a, 0, "gemm", 0, 10, 20);
    ck_integrity(&x->a, 0, 0, 0);
    end(x);
}

static void devices(const struct cupti *library) {
    struct replay *x = begin(library);
    RECORDS_PUT(&x->b, (struct cupti_device_record){.kind = CUPTI_DEVICE, .device = 2, .uuid = "0123456789abcde", .name = "GPU Z"});
    records_read(&x->b, x->r, 0);
    take(x);
    ck_assert_uint_eq(x->a.n_devices, 1);
    ck_assert_int_eq(x->a.devices[0].device, 2);
    ck_assert_str_eq(x->a.names[x->a.devices[0].name], "GPU Z");
    ck_assert_mem_eq(x->a.devices[0].uuid, "0123456789abcde", 16);
    end(x);
}

static void records_each_kind(const struct cupti *library) {
    kernels(library);
    copies_and_sets(library);
    calls(library);
    foreign_ids(library);
    devices(library);
}

/* ---- captured graphs ---- */

/* A node's owner is what was captured with it, or with what it is a copy of, in the launch that runs it. */
static void by_nodes(const struct cupti *library) {
    struct replay *x = begin(library);
    recorder_note_node(x->r, 100, 0, recorder_owner(1, 41)); /* captured in launch 1 */
    recorder_note_node(x->r, 200, 0, recorder_owner(4, 7));  /* the library says of copies too that they are made */
    recorder_note_node(x->r, 200, 100, 0);
    recorder_note_node(x->r, 300, 200, 0);                   /* and a copy of the copy */
    put_external(x, 8, recorder_owner(6, 1));
    put_call(x, 8, "cudaGraphLaunch_v10000", 100);
    put_kernel(x, 8, 200, 1000, 1100);
    RECORDS_PUT(&x->b, (struct cupti_copy_record){.kind = CUPTI_COPY, .copy_kind = 1, .start = 1100, .end = 1200, .correlation = 8, .node = 300});
    RECORDS_PUT(&x->b, (struct cupti_set_record){.kind = CUPTI_SET, .start = 1200, .end = 1300, .correlation = 8, .node = 999}); /* of nobody's */
    records_read(&x->b, x->r, 0);
    take(x);
    ck_op(&x->a, 0, "gemm", recorder_owner(6, 41), 1000, 1100);
    ck_op(&x->a, 1, "copy host to device", recorder_owner(6, 41), 1100, 1200);
    ck_op(&x->a, 2, "set", recorder_owner(6, 1), 1200, 1300);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(x->a.ops[i].is_in_graph, 1);
        ck_assert_int_eq(x->a.ops[i].call, 0);
    }
    end(x);
}

static void as_wholes(const struct cupti *library) {
    struct replay *x = begin(library);
    put_external(x, 8, recorder_owner(6, 1));
    RECORDS_PUT(&x->b, (struct cupti_graph_record){.kind = CUPTI_GRAPH, .correlation = 8, .start = 1000, .end = 5000, .device = 1, .graph = 3, .stream = 9});
    records_read(&x->b, x->r, 0);
    take(x);
    ck_op(&x->a, 0, "graph", recorder_owner(6, 1), 1000, 5000);
    ck_assert_int_eq(x->a.ops[0].is_in_graph, 1);
    ck_assert_int_eq(x->a.ops[0].stream, 9);
    ck_assert_int_eq(x->a.ops[0].kind, ACTIVITY_KERNEL);
    end(x);
}

static void records_graphs(const struct cupti *library) {
    by_nodes(library);
    as_wholes(library);
}

/* ---- trouble ---- */

/* What follows a record that is walked over is read; what follows one that the library does not know is not. */
static void unknown_kinds(const struct cupti *library) {
    enum { MARKER = 12, NO_KIND = 0x7fff };
    struct replay *x = begin(library);
    size_t marker_bytes = records_bytes_of(library, MARKER);
    ck_assert_uint_gt(marker_bytes, 0);
    ck_assert_uint_eq(records_bytes_of(library, NO_KIND), 0);
    put_kernel(x, 1, 0, 10, 20);
    RECORDS_PUT(&x->b, (struct cupti_record){MARKER});
    RECORDS_PUT(&x->b, (struct cupti_record){CUPTI_OVERHEAD}); /* these are known, and let go */
    RECORDS_PUT(&x->b, (struct cupti_record){CUPTI_SYNCHRONIZATION});
    put_kernel(x, 2, 0, 30, 40);
    memcpy(x->b.buffer + x->b.used, &(uint64_t){NO_KIND}, 8);
    x->b.used += 8;
    put_kernel(x, 3, 0, 50, 60);
    records_read(&x->b, x->r, 0);
    take(x);
    ck_assert_uint_eq(x->a.n_ops, 2);
    ck_op(&x->a, 1, "gemm", 0, 30, 40);
    ck_integrity(&x->a, 0, 0, 2);
    end(x);
}

/* A buffer that ends within a record: what is whole is read, what is not is lost, and said. */
static void cut_records(const struct cupti *library) {
    size_t kernel_bytes = records_bytes_of(library, CUPTI_CONCURRENT_KERNEL);
    for (size_t cut = 0; cut < kernel_bytes; cut += 8) {
        struct replay *x = begin(library);
            for (uint32_t i = 1; i <= 3; i++) put_kernel(x, i, 0, 10 * i, 10 * i + 5);
        records_read(&x->b, x->r, cut);
        take(x);
        ck_assert_uint_eq(x->a.n_ops, cut ? 2 : 3);
        ck_integrity(&x->a, cut != 0, 0, 0);
        end(x);
    }
    struct replay *x = begin(library); /* and nothing but a piece of one */
    put_kernel(x, 1, 0, 10, 15);
    records_read(&x->b, x->r, 8);
    take(x);
    ck_assert_uint_eq(x->a.n_ops, 0);
    ck_integrity(&x->a, 1, 0, 0);
    end(x);
}

static int five_dropped(void *context, uint32_t stream, size_t *dropped) { return (void)context, (void)stream, *dropped = 5, CUPTI_OK; }
static int not_known(void *context, uint32_t stream, size_t *dropped) { return (void)context, (void)stream, *dropped = 5, CUPTI_NO_PRIVILEGES; }

static void dropped_records(const struct cupti *library) {
    struct replay *x = begin(library);
    x->library.ActivityGetNumDroppedRecords = five_dropped;
    for (uint32_t i = 1; i <= 2; i++) {
        put_kernel(x, i, 0, 10 * i, 10 * i + 5);
        records_read(&x->b, x->r, 0);
    }
    x->library.ActivityGetNumDroppedRecords = not_known;
    put_kernel(x, 3, 0, 30, 35);
    records_read(&x->b, x->r, 0);
    take(x);
    ck_assert_uint_eq(x->a.n_ops, 3);
    ck_integrity(&x->a, 10, 0, 0);
    end(x);
}

static void records_without_times(const struct cupti *library) {
    struct replay *x = begin(library);
    put_kernel(x, 1, 0, 0, 0);
    put_kernel(x, 2, 0, 20, 10);
    put_kernel(x, 3, 0, 30, 30);
    RECORDS_PUT(&x->b, (struct cupti_call_record){.kind = CUPTI_RUNTIME, .callback = records_callback_of(library, "cudaLaunchKernel_v7000"), .start = 9, .end = 8});
    records_read(&x->b, x->r, 0);
    take(x);
    ck_assert_uint_eq(x->a.n_ops, 1);
    ck_assert_uint_eq(x->a.n_calls, 0);
    ck_integrity(&x->a, 0, 3, 0);
    end(x);
}

static void records_trouble(const struct cupti *library) {
    unknown_kinds(library);
    cut_records(library);
    dropped_records(library);
    records_without_times(library);
}

/* ---- many, in any order, over many buffers ---- */

enum { LAUNCHES = 1000, EACH = 3, A_BUFFER = 97 };

static void put_one(struct replay *x, uint32_t number) {
    uint32_t correlation = number / EACH + 1;
    if (number % EACH == 0) put_external(x, correlation, recorder_owner(correlation, correlation % 50));
    else if (number % EACH == 1) put_call(x, correlation, "cudaLaunchKernel_v7000", 100 * correlation);
    else put_kernel(x, correlation, 0, 100 * correlation + 50, 100 * correlation + 60 + correlation % 7);
}

static void records_in_any_order(const struct cupti *library) {
    struct replay *x = begin(library);
    uint32_t order[LAUNCHES * EACH];
    uint64_t seed = 11;
    for (uint32_t i = 0; i < LAUNCHES * EACH; i++) order[i] = i;
    for (uint32_t i = LAUNCHES * EACH; i-- > 1;) {
        uint32_t k = (uint32_t)(random_next(&seed) % (i + 1)), t = order[i];
        order[i] = order[k];
        order[k] = t;
    }
    for (uint32_t i = 0; i < LAUNCHES * EACH; i++) {
        put_one(x, order[i]);
        if (i % A_BUFFER == 0) records_read(&x->b, x->r, 0);
    }
    records_read(&x->b, x->r, 0);
    take(x);
    activity_sort_ops(&x->a);
    ck_assert_uint_eq(x->a.n_ops, LAUNCHES);
    ck_assert_uint_eq(x->a.n_calls, LAUNCHES);
    for (size_t i = 0; i < LAUNCHES; i++) {
        int64_t n = (int64_t)i + 1;
        ck_op(&x->a, i, "gemm", recorder_owner((uint64_t)n, (uint32_t)(n % 50)), 100 * n + 50, 100 * n + 60 + n % 7);
        ck_assert_int_eq(x->a.ops[i].call, (int32_t)i);
        ck_assert_int_eq(x->a.calls[i].start_ns, 100 * n);
    }
    ck_integrity(&x->a, 0, 0, 0);
    end(x);
}
