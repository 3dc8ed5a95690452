/* dense.h: large products by the dense library (oneDNN), which runs single-threaded in each member of the team.
 *
 * c (m, n) f32 = a (m, k) · b (n, k)ᵀ, both operands f32 or both bf16, accumulated in f32. The weights stay in
 * their plain (n, k) layout, so that one copy (or the mapped file itself) serves these and the kernels for few
 * rows; packing them beforehand gains 2 to 5 % at 128 rows and more (measured, README of the room).
 *
 * A set holds the primitives of one shape of launch. It is built outside timed regions and then only read. */
#ifndef ASSAY_KERNELS_CPU_DENSE_H
#define ASSAY_KERNELS_CPU_DENSE_H

#include "kernels/base/status.h"
#include "kernels/types.h"

enum isa_limit { DENSE_SSE41, DENSE_AVX2, DENSE_AVX512, DENSE_AVX512BF16, DENSE_BEST };

/* Holds the library below an instruction set, as far as it has not been used yet in this process. */
void dense_limit_isa(enum isa_limit limit);
/* 1: the library multiplies bf16 natively under the instruction set that it uses. */
int dense_has_bf16(void);
/* "oneDNN 2.6.3, avx512_core_bf16": what the library is and uses. */
void dense_describe(char *to, size_t bytes);

struct dense_key {
    int64_t m, n, k;
    int64_t a_stride, b_stride, c_stride; /* elements */
    enum dtype t;                         /* of a and b */
};

struct dense_set;
struct dense_set *dense_set_open(int members);
void dense_set_close(struct dense_set *s); /* NULL is fine */

/* Makes the product possible in this set; nothing where it is already. Call it from one thread, no set in use. */
enum status dense_set_add(struct dense_set *s, const struct dense_key *key, struct error *e);
/* Bytes that one product of this set needs at most as scratch. */
size_t dense_set_scratch(const struct dense_set *s);

/* The product; key must have been added. `scratch` is the member's own, 64-byte aligned. */
enum status dense_run(struct dense_set *s, const struct dense_key *key, int member, const void *a, const void *b, float *c, void *scratch);

/* For the calling thread: the library's own threads are one (returns what they were), or put back. */
int dense_single_thread(void);
void dense_restore_threads(int threads);

#endif
