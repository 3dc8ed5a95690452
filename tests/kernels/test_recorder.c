/* The recorder, with the stand-in for CUPTI: buffers made by hand, and buffers that were filled while an emulated device
 * worked, kept and read again. */
#include "check_main.h"
#include "kernels/cuda/records.c"

#include "kernels/cuda/emulator/runtime.h"
#include "kernels/cuda/runtime.h"

static struct cupti stand_in(void) {
    struct cupti l = cuda_emulated_cupti;
    l.GetCallbackName = records_callback_name;
    return l;
}

#define WITH_STAND_IN(name) \
    START_TEST(name) { \
        const struct cupti l = stand_in(); \
        records_##name(&l); \
    } \
    END_TEST
WITH_STAND_IN(each_kind)
WITH_STAND_IN(graphs)
WITH_STAND_IN(trouble)
WITH_STAND_IN(in_any_order)

/* ---- buffers of an emulated device ---- */

enum { MOST_KEPT = 64, BYTES = 4096, COPIES = 3, REPLAYS = 4 };
static struct {
    cupti_buffer_filled filled;    /* the recorder's */
    uint8_t *buffers[MOST_KEPT];
    size_t valid[MOST_KEPT], n;
} kept;

static void keep(void *context, uint32_t stream, uint8_t *buffer, size_t bytes, size_t valid) {
    ck_assert_uint_lt(kept.n, MOST_KEPT);
    kept.buffers[kept.n] = mem_alloc(valid ? valid : 1);
    memcpy(kept.buffers[kept.n], buffer, valid);
    kept.valid[kept.n++] = valid;
    kept.filled(context, stream, buffer, bytes, valid);
}

static int register_kept(cupti_buffer_wanted wanted, cupti_buffer_filled filled) {
    kept.filled = filled;
    return cuda_emulated_cupti.ActivityRegisterCallbacks(wanted, keep);
}

static void copy(void *stream, char *device, char *host) {
    for (int i = 0; i < COPIES; i++) ck_assert_int_eq(cuda_emulated_runtime.copy(device, host, BYTES, CUDA_TO_DEVICE, stream), 0);
    ck_assert_int_eq(cuda_emulated_runtime.fill(device, 0, BYTES, stream), 0);
}

/* Copies and a fill, one by one and then captured once and launched a few times; launches are numbered from 1. */
static void work(struct recorder *r, void *stream, char *device, char *host) {
    const struct cuda_runtime *rt = &cuda_emulated_runtime;
    void *graph;
    recorder_push(r, recorder_owner(1, 11));
    copy(stream, device, host);
    recorder_pop(r);
    recorder_push(r, recorder_owner(2, 22));
    ck_assert_int_eq(rt->capture_begin(stream), 0);
    copy(stream, device, host);
    ck_assert_int_eq(rt->capture_end(stream, &graph), 0);
    recorder_pop(r);
    for (uint64_t i = 3; i < 3 + REPLAYS; i++) {
        recorder_push(r, recorder_owner(i, 1));
        ck_assert_int_eq(rt->graph_launch(graph, stream), 0);
        recorder_pop(r);
        ck_assert_int_eq(rt->stream_wait(stream), 0);
    }
    rt->graph_close(graph);
}

static void record(const struct cupti *library, struct activity *out) {
    static struct clock clock = {.is_fake = 1};
    struct recorder *r;
    struct error e = {0};
    void *stream, *device, *host;
    emulator_set_time(&clock, NULL);
    ck_assert_int_eq(recorder_open(library, RECORDER_BY_NODE, &r, &e), STATUS_OK);
    cuda_emulated_runtime.stream_open(&stream);
    cuda_emulated_runtime.allocate(&device, BYTES);
    cuda_emulated_runtime.allocate_host(&host, BYTES);
    work(r, stream, device, host);
    ck_assert_int_eq(recorder_take(r, out, &e), STATUS_OK);
    recorder_close(r);
    cuda_emulated_runtime.release(device);
    cuda_emulated_runtime.release_host(host);
    cuda_emulated_runtime.stream_close(stream);
    emulator_set_time(NULL, NULL);
}

static void ck_same_work(const struct activity *a, const struct activity *b) {
    ck_assert_uint_eq(a->n_ops, b->n_ops);
    ck_assert_uint_eq(a->n_calls, b->n_calls);
    for (size_t i = 0; i < a->n_ops; i++) {
        ck_op(b, i, a->names[a->ops[i].name], a->ops[i].owner, a->ops[i].start_ns, a->ops[i].end_ns);
        ck_assert_int_eq(a->ops[i].correlation, b->ops[i].correlation);
        ck_assert_int_eq(a->ops[i].bytes, b->ops[i].bytes);
        ck_assert_int_eq(a->ops[i].is_in_graph, b->ops[i].is_in_graph);
    }
    for (size_t i = 0; i < a->n_calls; i++) {
        ck_assert_int_eq(a->calls[i].start_ns, b->calls[i].start_ns);
        ck_assert_int_eq(a->calls[i].correlation, b->calls[i].correlation);
    }
}

/* What the callbacks about nodes said when the graph was captured. */
static void note_nodes(struct recorder *r, size_t buffer) {
    struct cupti_record *record = NULL;
    while (cuda_emulated_cupti.ActivityGetNextRecord(kept.buffers[buffer], kept.valid[buffer], &record) == CUPTI_OK) {
        uint64_t node = record->kind == CUPTI_COPY ? ((struct cupti_copy_record *)record)->node : record->kind == CUPTI_SET ? ((struct cupti_set_record *)record)->node : 0;
        if (node) recorder_note_node(r, node, 0, recorder_owner(2, 22));
    }
}

/* Each piece of work is its launch's and, of a graph, the captured one's. */
START_TEST(recorded_buffers_are_read_again) {
    enum { EACH = COPIES + 1 };
    struct cupti library = cuda_emulated_cupti;
    struct activity first, again;
    struct error e = {0};
    library.ActivityRegisterCallbacks = register_kept;
    record(&library, &first);
    ck_assert_uint_eq(first.n_ops, EACH * (1 + REPLAYS));
    ck_integrity(&first, 0, 0, 0);
    for (size_t i = 0; i < first.n_ops; i++) {
        ck_assert_uint_eq(first.ops[i].owner, i < EACH ? recorder_owner(1, 11) : recorder_owner(i / EACH + 2, 22));
        ck_assert_int_eq(first.ops[i].is_in_graph, i >= EACH);
    }
    struct recorder *r = recorder_for_replay(&library);
    for (size_t i = 0; i < kept.n; i++) {
        note_nodes(r, i);
        recorder_read(r, kept.buffers[i], kept.valid[i]);
    }
    ck_assert_int_eq(recorder_take(r, &again, &e), STATUS_OK);
    ck_same_work(&first, &again);
    recorder_close(r);
    while (kept.n) mem_free(kept.buffers[--kept.n]);
    activity_free(&first);
    activity_free(&again);
}
END_TEST

TEST_MAIN("recorder", each_kind, graphs, trouble, in_any_order, recorded_buffers_are_read_again)
