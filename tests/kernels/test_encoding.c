/* Encodings: the block examples of golden/smollm2, each format by its formula, and int8 rows both ways. Rows
 * start at odd addresses throughout, as they may in a file. */
#include <float.h>
#include <math.h>

#include "check_main.h"
#include "kernels/base/memory.h"
#include "kernels/base/random.h"
#include "kernels/encoding.h"
#include "kernels/prune.h"
#include "kernels/quantize.h"

/* ---- examples that others computed; printed there with nine digits, which fix a float ---- */

static const uint8_t q4_1_example[] = {0xff, 0x55, 0x30, 0xd0, 0xb8, 0x02, 0x07, 0x65, 0x31, 0x54, 0x62,
                                       0x55, 0x96, 0x37, 0x25, 0x63, 0x52, 0xf3, 0x96, 0x43, 0x48};
static const float q4_1_values[] = {
    -0.330810547f, 0.346069336f,  0.0753173828f, -0.466186523f, -0.0600585938f, -0.330810547f, 0.0753173828f,
    0.210693359f,  0.346069336f,  0.0753173828f, -0.19543457f,  -0.330810547f,  -0.19543457f,  0.210693359f,
    -0.19543457f,  0.481445312f,  -0.6015625f,   -0.6015625f,   0.210693359f,   -0.19543457f,  0.0753173828f,
    0.210693359f,  0.0753173828f, 0.616821289f,  -0.19543457f,  -0.330810547f,  0.210693359f,  0.0753173828f,
    1.42907715f,   0.616821289f,  -0.0600585938f, -0.0600585938f};
static const uint8_t q8_0_example[] = {0xff, 0x32, 0x19, 0xd6, 0x0d, 0x13, 0xf7, 0xe5, 0xee, 0x08, 0xd0, 0x2a,
                                       0xa8, 0x01, 0xde, 0x56, 0x81, 0x86, 0x08, 0xfd, 0x21, 0xdb, 0xee, 0x10,
                                       0x4f, 0xe8, 0x1e, 0xfa, 0xf9, 0xe2, 0x11, 0x28, 0x39, 0x1f, 0xb1};
static const float q8_0_values[] = {-0.106544495f,  0.0329780579f,  0.0481987f,    -0.0228309631f,
                                    -0.0684928894f, -0.0456619263f, 0.0202941895f, -0.121765137f};

START_TEST(examples) {
    float y[32];
    encoding_q4_1.decode(q4_1_example + 1, y, 32);
    for (int i = 0; i < 32; i++) ck_assert_msg(y[i] == q4_1_values[i], "q4_1 %d: %.9g", i, (double)y[i]);
    encoding_q8_0.decode(q8_0_example + 1, y, 32);
    for (int i = 0; i < 8; i++) ck_assert_msg(y[i] == q8_0_values[i], "q8_0 %d: %.9g", i, (double)y[i]);
}
END_TEST

/* ---- by formula, on random bytes ---- */

enum { N = 96, MAX_BYTES = 8 * N };

static uint16_t half_at(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }

static float block_value(const struct encoding *e, const uint8_t *block, int j) {
    float d = f16_to_f32(half_at(block)), m = f16_to_f32(half_at(block + 2));
    if (e == &encoding_q8_0) return d * (float)(int8_t)block[2 + j];
    const uint8_t *q = block + (e == &encoding_q4_1 ? 4 : 2);
    int nibble = j < 16 ? q[j] & 15 : q[j - 16] >> 4;
    if (e == &encoding_q4_0) return d * (float)(nibble - 8);
    float product = d * (float)nibble;
    return product + m;
}

static int same(float a, float b) { return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b)); }

START_TEST(blocks_by_formula) {
    const struct encoding *const list[] = {&encoding_q8_0, &encoding_q4_0, &encoding_q4_1};
    uint8_t row[1 + MAX_BYTES];
    float y[N + 1];
    uint64_t state = 7;
    for (int round = 0; round < 3000; round++) {
        const struct encoding *e = list[round % 3];
        for (size_t i = 0; i < sizeof row; i++) row[i] = (uint8_t)random_next(&state);
        y[N] = 42;
        e->decode(row + 1, y, N);
        for (int i = 0; i < N; i++)
            ck_assert_msg(same(y[i], block_value(e, row + 1 + i / 32 * e->block_bytes, i % 32)), "%s %d", e->name, i);
        ck_assert(y[N] == 42);
    }
    ck_assert_uint_eq(encoding_row_bytes(&encoding_q4_0, 64), 36);
    ck_assert_uint_eq(encoding_row_bytes(&encoding_q4_1, 64), 40);
    ck_assert_uint_eq(encoding_row_bytes(&encoding_q8_0, 64), 68);
}
END_TEST

START_TEST(dense_every_pattern) {
    static uint8_t row[2 * 65536 + 1];
    static float y[65536];
    for (int h = 0; h < 65536; h++) {
        row[1 + 2 * h] = (uint8_t)h;
        row[2 + 2 * h] = (uint8_t)(h >> 8);
    }
    encoding_f16.decode(row + 1, y, 65536);
    for (int h = 0; h < 65536; h++) ck_assert_msg(same(y[h], f16_to_f32((uint16_t)h)), "f16 %04x", h);
    encoding_bf16.decode(row + 1, y, 65536);
    for (int h = 0; h < 65536; h++) ck_assert_msg(same(y[h], bf16_to_f32((uint16_t)h)), "bf16 %04x", h);
}
END_TEST

START_TEST(dense_there_and_back) {
    const struct encoding *const list[] = {&encoding_f32, &encoding_f16, &encoding_bf16};
    const float in[5] = {0.0f, -1.25f, 0.5f, 1024.0f, -INFINITY};
    uint8_t row[1 + sizeof in];
    float out[5];
    for (int i = 0; i < 3; i++) {
        list[i]->encode(in, row + 1, 5);
        list[i]->decode(row + 1, out, 5);
        ck_assert_int_eq(memcmp(in, out, sizeof in), 0);
    }
}
END_TEST

/* ---- int8 rows ---- */

/* Encodes, checks the codes against the definition in double, and returns the scale. */
static float check_int8(const float *in, int n) {
    uint8_t row[1 + 4 + N];
    float out[N], scale, max = 0;
    encoding_int8_row.encode(in, row + 1, n);
    encoding_int8_row.decode(row + 1, out, n);
    memcpy(&scale, row + 1, sizeof scale);
    for (int i = 0; i < n; i++) max = fmaxf(max, fabsf(in[i]));
    ck_assert(scale == max / 127.0f);
    for (int i = 0; i < n; i++) {
        int q = (int8_t)row[5 + i], want = scale > 0 ? (int)rint((double)(in[i] / scale)) : 0;
        want = want > 127 ? 127 : want < -127 ? -127 : want;
        ck_assert_msg(q == want, "code %d: %d, not %d", i, q, want);
        ck_assert(out[i] == scale * (float)q);
    }
    return scale;
}

START_TEST(int8_rows) {
    float row[N];
    uint64_t state = 3;
    for (int round = 0; round < 1000; round++) {
        float size = ldexpf(1.0f, (int)(random_next(&state) % 250) - 149);
        for (int i = 0; i < N; i++) row[i] = size * (float)(2 * random_unit(random_next(&state)) - 1);
        check_int8(row, N);
    }
    const float halves[7] = {127.0f, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f, -127.0f}; /* scale 1: ties go to even */
    ck_assert(check_int8(halves, 7) == 1.0f);
    const float zeros[3] = {0.0f, -0.0f, 0.0f}, tiny[3] = {FLT_TRUE_MIN, 0, -FLT_TRUE_MIN};
    const float huge[2] = {FLT_MAX, -FLT_MAX};
    ck_assert(check_int8(zeros, 3) == 0);
    ck_assert(check_int8(tiny, 3) == 0);
    check_int8(huge, 2);
    const float subnormal[2] = {190 * FLT_TRUE_MIN, 100 * FLT_TRUE_MIN}; /* the scale rounds; codes are clamped */
    check_int8(subnormal, 2);
    ck_assert_uint_eq(encoding_row_bytes(&encoding_int8_row, 33), 37);
}
END_TEST

START_TEST(damage_stays_visible) {
    const float bad[2][3] = {{1.0f, NAN, 2.0f}, {1.0f, -INFINITY, 2.0f}};
    uint8_t row[4 + 3];
    float out[3];
    for (int i = 0; i < 2; i++) {
        encoding_int8_row.encode(bad[i], row, 3);
        encoding_int8_row.decode(row, out, 3);
        ck_assert(isnan(out[0]) && isnan(out[1]) && isnan(out[2]));
    }
}
END_TEST

/* ---- groups ---- */

/* Every code comes back where it was: values are (code - zero) scale, so that a row of codes tells them apart. */
START_TEST(codes_there_and_back) {
    static const struct encoding *const list[] = {
#define X(name, bits, group, scale, zero) &encoding_##name,
        GROUPED_LIST(X)
#undef X
    };
    uint64_t state = 5;
    for (size_t k = 0; k < sizeof list / sizeof *list; k++)
        for (int64_t n = list[k]->block; n <= 11 * list[k]->block; n += list[k]->block) {
            float in[11 * 128], out[11 * 128];
            const struct grouping *q = list[k]->groups;
            const struct quantizer rule = {.bits = q->bits, .group = q->group, .zero = QUANTIZE_ZERO_INTEGER};
            char *row = mem_alloc(encoding_row_bytes(list[k], n) + 1);
            struct error e = {0};
            for (int64_t i = 0; i < n; i++) { /* whole numbers 0 to top, both in each group: scale 1, zero 0 */
                int top = (1 << q->bits) - 1;
                in[i] = i % q->group == 0 ? 0 : i % q->group == 1 ? (float)top : (float)(random_next(&state) % (uint64_t)(top + 1));
            }
            ck_assert_msg(grouped_encode(q, &rule, in, 0, row + 1, n, &e) == STATUS_OK, "%s", e.text);
            list[k]->decode(row + 1, out, n);
            for (int64_t i = 0; i < n; i++) REQUIRE(in[i] == out[i], "%s, n %lld: element %lld is %g, not %g", list[k]->name, (long long)n, (long long)i, (double)out[i], (double)in[i]);
            mem_free(row);
        }
}
END_TEST

START_TEST(damage_in_groups_is_named) {
    float row[64] = {0};
    char to[64];
    struct error e = {0};
    row[37] = NAN;
    ck_assert_int_eq(grouped_encode(encoding_int4_g32.groups, &(struct quantizer){.bits = 4, .group = 32, .zero = QUANTIZE_ZERO_INTEGER}, row, 5, to, 64, &e), STATUS_INPUT);
    ck_assert_msg(strstr(e.text, "[5, 37]"), "%s", e.text);
}
END_TEST

/* ---- sparse rows ---- */

START_TEST(bitmaps_there_and_back) {
    static const struct encoding *const list[] = {&encoding_bitmap_f32, &encoding_bitmap_f16, &encoding_bitmap_bf16};
    uint64_t state = 6;
    for (int k = 0; k < 3; k++)
        for (int64_t n = 0; n < 200; n += 1 + n / 9)
            for (unsigned density = 0; density <= 8; density++) {
                float in[200], out[200];
                char row[1 + 7 * 4 + 200 * 4];
                int64_t kept = 0;
                for (int64_t i = 0; i < n; i++) {
                    in[i] = random_next(&state) % 8 < density ? (float)(1 + random_next(&state) % 100) / 64 : 0;
                    kept += in[i] != 0;
                }
                list[k]->encode(in, row + 1, n);
                list[k]->decode(row + 1, out, n);
                ck_assert_int_eq(memcmp(in, out, (size_t)n * sizeof *in), 0);
                ck_assert_uint_eq(list[k]->row_bytes(row + 1, n), (size_t)((n + 31) / 32 * 4 + kept * list[k]->block_bytes));
                ck_assert_uint_le(list[k]->row_bytes(row + 1, n), encoding_row_bytes(list[k], n));
            }
}
END_TEST

/* The same numbers as int8_row has, and the bits of what was not zero before rounding, though its code may be. */
START_TEST(int8_under_bits) {
    uint64_t state = 8;
    for (int64_t n = 0; n < 200; n += 1 + n / 9)
        for (unsigned density = 0; density <= 8; density++) {
            float in[200], out[200], dense[200];
            char row[1 + 4 + 7 * 4 + 200], plain[4 + 200];
            uint32_t masks[7], expected[7];
            int64_t kept = 0;
            for (int64_t i = 0; i < n; i++) {
                in[i] = random_next(&state) % 8 < density ? (float)((int)(random_next(&state) % 2001) - 1000) / (i % 5 ? 4096 : 4) : 0;
                kept += in[i] != 0;
            }
            encoding_bitmap_int8.encode(in, row + 1, n);
            encoding_bitmap_int8.decode(row + 1, out, n);
            encoding_int8_row.encode(in, plain, n);
            encoding_int8_row.decode(plain, dense, n);
            for (int64_t i = 0; i < n; i++) ck_assert(out[i] == dense[i]);
            memcpy(masks, row + 5, (size_t)mask_words(n) * 4);
            prune_mask_nonzero(in, 1, n, expected);
            ck_assert_int_eq(memcmp(masks, expected, n ? (size_t)mask_words(n) * 4 : 0), 0);
            ck_assert_uint_eq(encoding_bitmap_int8.row_bytes(row + 1, n), (size_t)(4 + mask_words(n) * 4 + kept));
            ck_assert_uint_le(encoding_bitmap_int8.row_bytes(row + 1, n), encoding_row_bytes(&encoding_bitmap_int8, n));
        }
    float bad[] = {0, 1, NAN, 0}, out[4];
    char row[4 + 4 + 4];
    encoding_bitmap_int8.encode(bad, row, 4);
    encoding_bitmap_int8.decode(row, out, 4);
    for (int i = 0; i < 4; i++) ck_assert(isnan(out[i]));
}
END_TEST

START_TEST(names) {
#define X(name) ck_assert_ptr_eq(encoding_find(#name), &encoding_##name);
    ENCODING_LIST(X)
#undef X
#define X(name, bits, group, scale, zero) ck_assert_ptr_eq(encoding_find(#name), &encoding_##name);
    GROUPED_LIST(X)
#undef X
    ck_assert_ptr_null(encoding_find("q4_k"));
    ck_assert_ptr_eq(encoding_of_dtype(DTYPE_BF16), &encoding_bf16);
    ck_assert_ptr_null(encoding_of_dtype(DTYPE_I8));
    ck_assert_ptr_null(encoding_of_dtype(DTYPE_F64));
}
END_TEST

TEST_MAIN("encoding", examples, blocks_by_formula, dense_every_pattern, dense_there_and_back, int8_rows,
          damage_stays_visible, codes_there_and_back, damage_in_groups_is_named, bitmaps_there_and_back, int8_under_bits, names)
