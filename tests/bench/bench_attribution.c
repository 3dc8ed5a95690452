/* bench_attribution: reading, joining and attributing many records: time a record and peak memory.
 * usage: bench_attribution [MILLIONS] [KERNELS-A-LAUNCH] [real] [shuffled]. Records are kernels, calls, pushed ids and
 * ranges of a decode loop on two streams; 1 kernel a launch is eager, 500 is a graph. `real`: the buffers are walked by
 * libcupti, which is found as always, and not by its stand-in. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "harness/attribution/attribute.h"
#include "harness/attribution/join.h"
#include "kernels/base/clock.h"
#include "kernels/base/random.h"
#include "kernels/cuda/library.h"
#include "tests/kernels/cuda/records.h"

enum { CALLS_A_STEP = 200, LAUNCH_NS = 3000, KERNELS = 64, FIRST_NODE = 1000 };

struct bench {
    struct recorder *r;
    struct records b;
    int kernels;                   /* a launch */
    uint32_t launch, wait;         /* callbacks */
    char names[KERNELS][32];
    size_t n_records;
    double read_s;
};

static double seconds(void) { return (double)clock_now_ns(&(struct clock){0}) * 1e-9; }

static long peak_mib(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return u.ru_maxrss >> 10;
}

/* ---- records ---- */

static void read_buffer(struct bench *x) {
    double start = seconds();
    records_read(&x->b, x->r, 0);
    x->read_s += seconds() - start;
}

static void made_one(struct bench *x) {
    x->n_records++;
    if (!records_has_room(&x->b)) read_buffer(x);
}

static void put_launch(struct bench *x, uint32_t i) {
    uint64_t start = (uint64_t)(i + 1) * LAUNCH_NS;
    RECORDS_PUT(&x->b, (struct cupti_external_record){.kind = CUPTI_EXTERNAL, .external_kind = CUPTI_EXTERNAL_CUSTOM0, .id = recorder_owner(i + 1, 2), .correlation = i + 1});
    made_one(x);
    RECORDS_PUT(&x->b, (struct cupti_call_record){.kind = CUPTI_RUNTIME, .callback = i % 50 == 49 ? x->wait : x->launch, .start = start, .end = start + 1500, .correlation = i + 1});
    made_one(x);
    for (uint32_t k = 0; k < (uint32_t)x->kernels; k++) {
        uint64_t begin = start + 2000 + k * 100;
        RECORDS_PUT(&x->b, (struct cupti_kernel_record){.kind = CUPTI_CONCURRENT_KERNEL, .start = begin, .end = begin + 90 + (k + i) % 40, .stream = k % 2, .correlation = i + 1,
                                                        .name = x->names[(i + k) % KERNELS], .node = x->kernels > 1 ? FIRST_NODE + k : 0});
        made_one(x);
    }
}

static void put_ranges(struct activity *a, int64_t launches) {
    int32_t step = activity_name(a, "step", 4), decode = activity_name(a, "decode", 6);
    for (int64_t i = 0; i < launches; i += CALLS_A_STEP) {
        const int64_t first[] = {i, i + 10}, last[] = {i + CALLS_A_STEP, i + CALLS_A_STEP - 20};
        for (int k = 0; k < 2; k++) {
            struct activity_range *r = activity_add_range(a);
            r->start_ns = (first[k] + 1) * LAUNCH_NS;
            r->end_ns = (last[k] + 1) * LAUNCH_NS - 1;
            r->name = k ? decode : step;
        }
    }
}

/* As if buffers came back in any order. */
static void shuffle(struct activity *a) {
    uint64_t seed = 1;
    for (size_t i = a->n_ops; i-- > 1;) {
        size_t k = (size_t)(random_next(&seed) % (i + 1));
        struct activity_op op = a->ops[i];
        a->ops[i] = a->ops[k];
        a->ops[k] = op;
    }
}

/* ---- the bench ---- */

static enum status find_library(int is_real, struct cupti *out, struct error *e) {
    const char *path = "the stand-in";
    const struct cupti *library = is_real ? library_cupti(&path, e) : &cuda_emulated_cupti;
    if (!library) return e->status;
    *out = *library;
    if (!is_real) out->GetCallbackName = records_callback_name;
    if (!records_bytes_of(out, CUPTI_RUNTIME)) return error_set(e, STATUS_UNSUPPORTED, "%s walks no buffers here: it may want a driver", path);
    return STATUS_OK;
}

static void attribute_all(struct bench *x, struct activity *a) {
    struct stages stages;
    struct attributed found;
    struct error e = {0};
    double start = seconds();
    activity_join(a);
    double joined = seconds(), n = (double)x->n_records;
    activity_sort_ops(a);
    if (stages_choose(a, &(struct stage_choice){.iteration = "step"}, &stages, &e) != STATUS_OK) {
        fprintf(stderr, "%s\n", e.text);
        exit(2);
    }
    attribute(a, &stages, &found);
    printf("read %.1f + join %.1f = %.1f, attribute %.1f ns a record; %zu samples, %zu lines; peak %ld MiB\n", x->read_s / n * 1e9, (joined - start) / n * 1e9,
           (x->read_s + joined - start) / n * 1e9, (seconds() - joined) / n * 1e9, found.n_samples, found.n_lines, peak_mib());
    attributed_free(&found);
    stages_free(&stages);
}

int main(int argc, char **argv) {
    static struct bench x;
    struct cupti library;
    struct activity a;
    struct error e = {0};
    size_t records = (argc > 1 ? (size_t)atol(argv[1]) : 10) * 1000000;
    int is_real = 0, is_shuffled = 0;
    for (int i = 3; i < argc; i++) is_real |= strcmp(argv[i], "real") == 0, is_shuffled |= strcmp(argv[i], "shuffled") == 0;
    if (find_library(is_real, &library, &e) != STATUS_OK) return fprintf(stderr, "%s\n", e.text), 2;
    x.kernels = argc > 2 ? atoi(argv[2]) : 1;
    x.b.library = &library;
    x.r = recorder_for_replay(&library);
    x.launch = records_callback_of(&library, "cudaLaunchKernel_v7000");
    x.wait = records_callback_of(&library, "cudaDeviceSynchronize_v3020");
    for (int i = 0; i < KERNELS; i++) snprintf(x.names[i], sizeof x.names[i], "kernel %d", i);
    for (int k = 0; k < x.kernels; k++) recorder_note_node(x.r, (uint64_t)(FIRST_NODE + k), 0, recorder_owner(1, (uint32_t)k));
    uint32_t launches = 0;
    while (x.n_records < records) put_launch(&x, launches++);
    read_buffer(&x);
    double start = seconds();
    if (recorder_take(x.r, &a, &e) != STATUS_OK) return fprintf(stderr, "%s\n", e.text), 2;
    x.read_s += seconds() - start;
    recorder_close(x.r);
    put_ranges(&a, launches);
    if (is_shuffled) shuffle(&a);
    printf("%zu records: %zu operations, %zu calls, %zu ranges: %ld MiB\n", x.n_records, a.n_ops, a.n_calls, a.n_ranges, peak_mib());
    attribute_all(&x, &a);
    activity_free(&a);
    return 0;
}
