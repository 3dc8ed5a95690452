/* bench_quantize: how fast matrices are encoded, on one thread: processor time an element, and what a model of 1.1 G elements
 * would take on one thread. usage: bench_quantize [ROUNDS]. The matrix is 2048 x 5632 of normal numbers; the least of the rounds
 * counts. Processor time, so that what else runs here adds little. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernels/base/memory.h"
#include "kernels/base/random.h"
#include "kernels/prune.h"
#include "kernels/quantize.h"
#include "kernels/sparse/bitmap.h"
#include "kernels/sparse/tca_bme.h"
#include "kernels/sparse/tiled_csl.h"

enum { ROWS = 2048, COLS = 5632, ELEMENTS = ROWS * COLS };

static struct {
    float *w, *norm, *scale, *zero;
    uint16_t *bf16;
    uint8_t *codes;
    uint32_t *mask;
} data;

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void fill(double size) {
    uint64_t state = 1;
    for (int64_t i = 0; i < ELEMENTS; i += 2) {
        double u = sqrt(-2 * log(1 - random_unit(random_next(&state)))), v = 6.283185307179586 * random_unit(random_next(&state));
        data.w[i] = (float)(size * u * cos(v));
        data.w[i + 1] = (float)(size * u * sin(v));
    }
    for (int64_t j = 0; j < COLS; j++) data.norm[j] = (float)(1 + random_unit(random_next(&state)));
    for (int64_t i = 0; i < ELEMENTS; i++) data.bf16[i] = (uint16_t)i;
}

/* ---- what is timed ---- */

struct job {
    const char *name;
    void (*run)(const struct job *j);
    struct quantizer q;
    int axis;
    struct pruning p;
    int is_wanda;
    double size;                       /* of the weights; 0: 0.02 */
};

static void must(enum status s, const struct error *e) {
    if (s == STATUS_OK) return;
    fprintf(stderr, "%s\n", e->text);
    exit(1);
}

static void run_encode(const struct job *j) {
    struct error e = {0};
    struct quantize_groups g;
    struct quantizer q = j->q;
    const struct quantized out = {data.codes, data.scale, data.zero};
    must(quantize_groups_of(&q, ROWS, COLS, j->axis, &g, &e), &e);
    if (q.rounding == QUANTIZE_HQQ) {
        struct hqq_errors errors = {0};
        must(hqq_errors(&q, &g, data.w, &errors, &e), &e);
        q.steps = hqq_steps(&errors, ELEMENTS);
    }
    must(quantize_encode(&q, &g, data.w, &out, &e), &e);
}

static void run_decode(const struct job *j) {
    static float *y;
    struct error e = {0};
    struct quantize_groups g;
    const struct quantized in = {data.codes, data.scale, data.zero};
    if (!y) y = mem_try(ELEMENTS * sizeof *y);
    must(quantize_groups_of(&j->q, ROWS, COLS, j->axis, &g, &e), &e);
    quantize_decode(&j->q, &g, &in, y);
}

static void run_prune(const struct job *j) {
    struct error e = {0};
    const struct prune_rows rows = {.w = data.w, .norm = j->is_wanda ? data.norm : NULL, .rows = ROWS, .cols = COLS};
    must(prune(&j->p, &rows, data.mask, &e), &e);
}

static struct masked half(void) { return (struct masked){data.bf16, data.mask, ROWS, COLS}; }

static void run_bitmap(const struct job *j) {
    struct error e = {0};
    struct bitmap b;
    const struct masked m = half();
    (void)j;
    must(bitmap_encode(&m, 2, &b, &e), &e);
    bitmap_free(&b);
}

static void run_csl(const struct job *j) {
    struct error e = {0};
    struct tiled_csl t;
    const struct masked m = half();
    (void)j;
    must(tiled_csl_encode(&m, SPARSE_UNLIMITED, &t, &e), &e);
    tiled_csl_free(&t);
}

static void run_bme(const struct job *j) {
    struct error e = {0};
    struct tca_bme t;
    const struct masked m = half();
    (void)j;
    must(tca_bme_encode(&m, SPARSE_UNLIMITED, &t, &e), &e);
    tca_bme_free(&t);
}

#define HQQ(width, size) {.bits = (width), .group = (size), .rounding = QUANTIZE_HQQ, .zero = QUANTIZE_ZERO_CODE, .is_first_zero_rounded = (width) == 4}

static const struct job jobs[] = {
    {.name = "int8 rows, rtn", .run = run_encode, .q = {.bits = 8}, .axis = 1},
    {.name = "int4 groups of 64, rtn, zero=int", .run = run_encode, .q = {.bits = 4, .group = 64, .zero = QUANTIZE_ZERO_INTEGER}, .axis = 1},
    {.name = "int4 groups of 64, rtn, zero=float", .run = run_encode, .q = {.bits = 4, .group = 64, .zero = QUANTIZE_ZERO_FLOAT}, .axis = 1},
    {.name = "the same decoded", .run = run_decode, .q = {.bits = 4, .group = 64, .zero = QUANTIZE_ZERO_FLOAT}, .axis = 1},
    {.name = "int4 groups of 32, rtn, zero=float", .run = run_encode, .q = {.bits = 4, .group = 32, .zero = QUANTIZE_ZERO_FLOAT}, .axis = 1},
    {.name = "int4 groups of 64, hqq", .run = run_encode, .q = HQQ(4, 64), .axis = 1},
    {.name = "int4 groups of 64, hqq, axis 0", .run = run_encode, .q = HQQ(4, 64), .axis = 0},
    {.name = "int3 groups of 64, hqq", .run = run_encode, .q = HQQ(3, 64), .axis = 1},
    {.name = "int2 groups of 16, hqq", .run = run_encode, .q = HQQ(2, 16), .axis = 1},
    {.name = "int2 groups of 64, hqq, weights of 1", .run = run_encode, .q = HQQ(2, 64), .axis = 1, .size = 1},
    {.name = "prune rows to 0.5, magnitude", .run = run_prune, .p = {.per = PRUNE_PER_ROW, .share = 0.5}},
    {.name = "prune rows to 0.5, Wanda", .run = run_prune, .p = {.per = PRUNE_PER_ROW, .share = 0.5}, .is_wanda = 1},
    {.name = "prune 2 of 4", .run = run_prune, .p = {.per = PRUNE_N_OF_M, .n = 2, .m = 4}},
    {.name = "prune matrix to 0.5", .run = run_prune, .p = {.per = PRUNE_PER_MATRIX, .share = 0.5}},
    {.name = "bitmap of half", .run = run_bitmap},
    {.name = "Tiled-CSL of half", .run = run_csl},
    {.name = "TCA-BME of half", .run = run_bme},
};

int main(int argc, char **argv) {
    int rounds = argc > 1 ? atoi(argv[1]) : 3;
    double size = 0;
    data.w = mem_try(ELEMENTS * sizeof *data.w);
    data.norm = mem_alloc(COLS * sizeof *data.norm);
    data.scale = mem_try(ELEMENTS / 16 * sizeof *data.scale);
    data.zero = mem_try(ELEMENTS / 16 * sizeof *data.zero);
    data.bf16 = mem_try(ELEMENTS * sizeof *data.bf16);
    data.codes = mem_try(ELEMENTS);
    data.mask = mem_try((size_t)(ROWS * mask_words(COLS)) * sizeof *data.mask);
    printf("%-38s %12s %18s\n", "", "ns an element", "s for 1.1 G, one thread");
    for (size_t k = 0; k < sizeof jobs / sizeof *jobs; k++) {
        double want = jobs[k].size > 0 ? jobs[k].size : 0.02, least = INFINITY;
        if (want != size) fill(size = want);
        for (int r = 0; r < rounds; r++) {
            double start = seconds();
            jobs[k].run(&jobs[k]);
            least = fmin(least, seconds() - start);
        }
        printf("%-38s %12.2f %18.1f\n", jobs[k].name, least / ELEMENTS * 1e9, least / ELEMENTS * 1.1e9);
    }
    return 0;
}
