/* few_blocks.h: rows of GGUF's blocks as they lie in the file, times bf16 x: part of few.c.
 *
 * A block is 32 elements: f16 d, in Q4_1 f16 m, then codes (encodings/q8_0.c, q4_0.c, q4_1.c). Four blocks are a run; their codes
 * become bf16, exactly, by the look-ups of few.c, so that a block's products lie in lanes of its own (four, of eight bits eight),
 * where its scale meets their sum. Nothing past a row is read: it may be the last of a mapped file. */
#ifndef ASSAY_KERNELS_CPU_ISA_FEW_BLOCKS_H
#define ASSAY_KERNELS_CPU_ISA_FEW_BLOCKS_H

enum { BLOCK = 32, RUN_BLOCKS = 4, RUN = BLOCK * RUN_BLOCKS, Q8_0_BYTES = 34, Q4_0_BYTES = 18, Q4_1_BYTES = 20, MOST_RUN_BYTES = RUN_BLOCKS * Q8_0_BYTES };

/* q - 8 for q of 0 to 15; twice. */
#define NIBBLES 0xc100, 0xc0e0, 0xc0c0, 0xc0a0, 0xc080, 0xc040, 0xc000, 0xbf80, 0x0000, 0x3f80, 0x4000, 0x4040, 0x4080, 0x40a0, 0x40c0, 0x40e0
static const uint16_t nibble_table[32] = {NIBBLES, NIBBLES};
#undef NIBBLES

INLINE size_t block_bytes(enum few_kind kind) { return kind == FEW_Q8_0_DOT ? Q8_0_BYTES : kind == FEW_Q4_0_DOT ? Q4_0_BYTES : Q4_1_BYTES; }

/* The first two halves of each block of a run: d at 2 b; m, or what is no number, at 2 b + 1. */
INLINE __m512 run_heads(enum few_kind kind, const char *run) {
    int32_t head[RUN_BLOCKS];
#pragma GCC unroll 4
    for (int b = 0; b < RUN_BLOCKS; b++) memcpy(&head[b], run + (size_t)b * block_bytes(kind), sizeof *head);
    return _mm512_castps256_ps512(_mm256_cvtph_ps(_mm_set_epi32(head[3], head[2], head[1], head[0])));
}

/* x (of four bits): for each run, j < 4 and words i < 32: code j of word i (block_rows in linear_few.c). n: blocks that there are. */
INLINE void nibble_run(enum few_kind kind, int tall, int rows, const char *const *run, int64_t at, int n, const struct few_product *p, __m512 (*sum)[FEW_MAX_ROWS]) {
    const __m512i table = _mm512_loadu_si512(kind == FEW_Q4_0_DOT ? nibble_table : code_table);
    const __m512i of_block = _mm512_set_epi32(6, 6, 6, 6, 4, 4, 4, 4, 2, 2, 2, 2, 0, 0, 0, 0);
    const __m512i of_m = _mm512_set_epi32(7, 7, 7, 7, 5, 5, 5, 5, 3, 3, 3, 3, 1, 1, 1, 1);
    const uint16_t *x = (const uint16_t *)p->x + at * RUN;
    const size_t bytes = block_bytes(kind), head = kind == FEW_Q4_0_DOT ? 2 : 4;
    __m512 x_sums[FEW_MAX_ROWS]; /* of each block in one of its lanes: times m */
#pragma GCC unroll 8
    for (int r = 0; kind == FEW_Q4_1_DOT && r < rows; r++) {
        __m128 four = _mm_maskz_loadu_ps((__mmask8)((1 << n) - 1), p->x_sums + r * p->sums_stride + at * RUN_BLOCKS);
        x_sums[r] = _mm512_maskz_expand_ps(0x1111, _mm512_castps128_ps512(four));
    }
#pragma GCC unroll 8
    for (int a = 0; a < tall; a++) {
        __m512 heads = run_heads(kind, run[a]), scale = _mm512_permutexvar_ps(of_block, heads);
        __m512i q = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)(const void *)(run[a] + head)));
        q = _mm512_inserti32x4(q, _mm_loadu_si128((const __m128i *)(const void *)(run[a] + bytes + head)), 1);
        q = _mm512_inserti32x4(q, _mm_loadu_si128((const __m128i *)(const void *)(run[a] + 2 * bytes + head)), 2);
        q = _mm512_inserti32x4(q, _mm_loadu_si128((const __m128i *)(const void *)(run[a] + 3 * bytes + head)), 3);
        ask_ahead(rows >= FED_ROWS, run[a], AHEAD_BYTES);
        struct quarters codes = look_up_quarters(q, table);
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) {
            sum[a][r] = _mm512_fmadd_ps(dot_quarters(&codes, x + r * p->x_stride), scale, sum[a][r]);
            if (kind == FEW_Q4_1_DOT) sum[a][r] = _mm512_fmadd_ps(_mm512_permutexvar_ps(of_m, heads), x_sums[r], sum[a][r]);
        }
    }
}

/* x in pairs of 32, as block_int8 has it. */
INLINE void byte_run(int tall, int rows, const char *const *run, int64_t at, int n, const struct few_product *p, __m512 (*sum)[FEW_MAX_ROWS]) {
    const __m512i of_block = _mm512_set_epi32(2, 2, 2, 2, 2, 2, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0);
#pragma GCC unroll 8
    for (int a = 0; a < tall; a++) {
        __m512 heads = run_heads(FEW_Q8_0_DOT, run[a]);
#pragma GCC unroll 2
        for (int half = 0; half < (n + 1) / 2; half++) {
            const char *codes = run[a] + half * 2 * Q8_0_BYTES + 2;
            const uint16_t *x = (const uint16_t *)p->x + at * RUN + half * INT8_RUN;
            __m512 scale = _mm512_permutexvar_ps(_mm512_add_epi32(of_block, _mm512_set1_epi32(4 * half)), heads);
            __m512i q = _mm512_castsi256_si512(_mm256_loadu_si256((const __m256i *)(const void *)codes));
            q = _mm512_inserti64x4(q, _mm256_loadu_si256((const __m256i *)(const void *)(codes + Q8_0_BYTES)), 1);
            ask_ahead(rows >= FED_ROWS, codes, AHEAD_BYTES);
            struct halves h = look_up(q);
#pragma GCC unroll 8
            for (int r = 0; r < rows; r++) sum[a][r] = _mm512_fmadd_ps(add_halves(_mm512_setzero_ps(), &h, x + r * p->x_stride), scale, sum[a][r]);
        }
    }
}

INLINE void any_run(enum few_kind kind, int tall, int rows, const char *const *run, int64_t at, int n, const struct few_product *p, __m512 (*sum)[FEW_MAX_ROWS]) {
    if (kind == FEW_Q8_0_DOT) byte_run(tall, rows, run, at, n, p, sum);
    else nibble_run(kind, tall, rows, run, at, n, p, sum);
}

INLINE void block_of_blocks(enum few_kind kind, int tall, int rows, const struct few_product *p, int64_t j) {
    const char *run[8];
    __m512 sum[8][FEW_MAX_ROWS];
    const size_t bytes = block_bytes(kind);
    int64_t blocks = p->k / BLOCK, runs = blocks / RUN_BLOCKS;
    int left = (int)(blocks % RUN_BLOCKS);
#pragma GCC unroll 8
    for (int a = 0; a < tall; a++) {
        run[a] = (const char *)p->w + (size_t)(j + a * p->spread) * p->w_stride;
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) sum[a][r] = _mm512_setzero_ps();
    }
    for (int64_t at = 0; at < runs; at++) {
        any_run(kind, tall, rows, run, at, RUN_BLOCKS, p, sum);
#pragma GCC unroll 8
        for (int a = 0; a < tall; a++) run[a] += RUN_BLOCKS * bytes;
    }
    if (left) { /* filled up with blocks whose scale is 0 */
        char tail[8][MOST_RUN_BYTES] = {{0}};
        for (int a = 0; a < tall; a++) run[a] = memcpy(tail[a], run[a], (size_t)left * bytes);
        any_run(kind, tall, rows, run, runs, left, p, sum);
    }
    store_sums(tall, rows, p, j, sum);
}

#endif
