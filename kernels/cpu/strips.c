#include "kernels/cpu/strips.h"

#include <string.h>

#include "kernels/encodings/planes.h"

static int64_t padded(int64_t k) { return (k + STRIP_PAD - 1) / STRIP_PAD * STRIP_PAD; }

int strips_fit(const struct isa_kernels *isa, const struct encoding *e, int64_t k) {
    return isa->has_codes && k <= STRIP_MOST_CODES && (e == &encoding_int8_row || (e->groups && e->groups->bits == 4));
}

static size_t number_bytes(const struct grouping *q) { return STRIP_ROWS * (dtype_bytes(q->scale) + dtype_bytes(q->zero)); }

size_t strip_bytes(const struct encoding *e, int64_t k) {
    const struct grouping *q = e->groups;
    if (!q) return (size_t)padded(k) * STRIP_ROWS + STRIP_ROWS * sizeof(float);
    return (size_t)((padded(k) + q->group - 1) / q->group) * ((size_t)q->group * STRIP_ROWS / 2 + number_bytes(q));
}

/* A strip's rows as bytes, and they in turn as its lanes. */
size_t strip_scratch(int64_t k) { return 2 * (size_t)(padded(k) + 2 * STRIP_PAD) * STRIP_ROWS; }

static void pack_int8(const struct isa_kernels *isa, const char *rows, size_t stride, int64_t n, int64_t k, char *strip, int8_t *codes) {
    int64_t wide = padded(k);
    float scales[STRIP_ROWS] = {0};
    for (int64_t i = 0; i < n; i++) {
        memcpy(&scales[i], rows + (size_t)i * stride, sizeof *scales);
        memcpy(codes + i * wide, rows + (size_t)i * stride + sizeof *scales, (size_t)k);
    }
    for (int64_t i = 0; i < STRIP_ROWS * wide; i++) codes[i] = (int8_t)(codes[i] ^ -128);
    isa->strip(codes, wide, (int8_t *)strip);
    memcpy(strip + STRIP_ROWS * wide, scales, sizeof scales);
}

/* Numbers of one group: of row i at `from` + i stride, one after the other. */
static char *gather(enum dtype t, const char *from, size_t stride, int64_t n, char *to) {
    size_t bytes = dtype_bytes(t);
    memset(to, 0, STRIP_ROWS * bytes);
    for (int64_t i = 0; i < n; i++) memcpy(to + (size_t)i * bytes, from + (size_t)i * stride, bytes);
    return to + STRIP_ROWS * bytes;
}

static void pack_groups(const struct isa_kernels *isa, const struct grouping *q, const char *rows, size_t stride, int64_t n, int64_t k, char *to, int8_t *codes) {
    enum { LANE_BYTES = 4 * STRIP_ROWS };
    int64_t wide = padded(k), groups = (wide + q->group - 1) / q->group;
    int8_t *lanes = codes + (wide + 2 * STRIP_PAD) * STRIP_ROWS;
    for (int64_t i = 0; i < n; i++) unpack_codes(q->bits, q->group, (const uint8_t *)rows + (size_t)i * stride, k, 0, k, (uint8_t *)codes + i * wide);
    isa->strip(codes, wide, lanes);
    memset(lanes + wide * STRIP_ROWS, 0, (size_t)(groups * q->group - wide) * STRIP_ROWS);
    for (int64_t g = 0; g < groups; g++) {
        const int8_t *from = lanes + g * q->group * STRIP_ROWS;
        for (int64_t at = 0; at < q->group * STRIP_ROWS; at += 2 * LANE_BYTES)
            for (int i = 0; i < LANE_BYTES; i++) *to++ = (char)(from[at + i] | from[at + LANE_BYTES + i] << 4);
        int64_t here = g < k / q->group ? n : 0; /* beyond k scales are 0 */
        to = gather(q->scale, (const char *)grouped_scales(q, rows, k) + (size_t)g * dtype_bytes(q->scale), stride, here, to);
        to = gather(q->zero, (const char *)grouped_zeros(q, rows, k) + (size_t)g * dtype_bytes(q->zero), stride, here, to);
    }
}

void strip_pack(const struct isa_kernels *isa, const struct encoding *e, const void *rows, size_t stride, int64_t n, int64_t k, void *strip, void *scratch) {
    memset(scratch, 0, (size_t)padded(k) * STRIP_ROWS);
    if (e->groups) pack_groups(isa, e->groups, rows, stride, n, k, strip, scratch);
    else pack_int8(isa, rows, stride, n, k, strip, scratch);
}
