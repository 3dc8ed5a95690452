/* streams.c: memory read and copied, for plain C, AVX2 and AVX-512, chosen at run time. */
#include <string.h>

#include "harness/ceilings/probe.h"
#include "harness/doctor/features.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define INLINE __attribute__((always_inline)) static inline
#define PREFETCH_RUN(p, bytes) \
    do { \
        for (size_t line = 0; line < (bytes); line += 64) __builtin_prefetch((p) + line); \
    } while (0)

/* ---- plain: two words at a time; no STREAM: no way around the caches ---- */

typedef uint64_t pair __attribute__((vector_size(16), may_alias));
static int always(void) { return 1; }
#define NAME(x) plain_##x
#define TARGET
#define VECTOR pair
#define VECTOR_BYTES 16
#define LOAD(p) (*(const pair *)(p))
#define STORE(p, v) (*(pair *)(p) = (v))
#define ADD(a, b) ((a) + (b))
#include "harness/ceilings/streams_body.h"

static void library_copy(struct share *s, int64_t repeats) {
    for (int64_t r = 0; r < repeats; r++) {
        memcpy(s->data + s->bytes / 2, s->data, s->bytes / 2);
        __asm__ volatile("" : : : "memory");
    }
}

#if defined(__x86_64__)
static int has_avx2(void) { return feature_has(FEATURE_AVX2); }
#define NAME(x) avx2_##x
#define TARGET __attribute__((target("avx2")))
#define VECTOR __m256i
#define VECTOR_BYTES 32
#define LOAD(p) _mm256_load_si256((const __m256i *)(const void *)(p))
#define STORE(p, v) _mm256_store_si256((__m256i *)(void *)(p), v)
#define STREAM(p, v) _mm256_stream_si256((__m256i *)(void *)(p), v)
#define ADD(a, b) _mm256_add_epi64(a, b)
#define FENCE() _mm_sfence()
#include "harness/ceilings/streams_body.h"

static int has_avx512(void) { return feature_has(FEATURE_AVX512F); }
#define NAME(x) avx512_##x
#define TARGET __attribute__((target("avx512f")))
#define VECTOR __m512i
#define VECTOR_BYTES 64
#define LOAD(p) _mm512_load_si512((const void *)(p))
#define STORE(p, v) _mm512_store_si512((void *)(p), v)
#define STREAM(p, v) _mm512_stream_si512((__m512i *)(void *)(p), v)
#define ADD(a, b) _mm512_add_epi64(a, b)
#define FENCE() _mm_sfence()
#include "harness/ceilings/streams_body.h"
#endif

#define READS(isa, supported) \
    {#isa " forward", "", supported, 0, isa##_read_forward}, \
        {#isa " unrolled", "", supported, 0, isa##_read_unrolled}, \
        {#isa " prefetched", "", supported, 0, isa##_read_ahead}, \
        {#isa " 2 streams", "", supported, 0, isa##_read_two}, { \
#isa " 4 streams", "", supported, 0, isa##_read_four \
    }
#define COPIES(isa, supported) \
    {#isa " stored", "", supported, 0, isa##_copy_stored}, { #isa " streamed", "", supported, 0, isa##_copy_streamed }

static const struct probe reads[] = {
    READS(plain, always),
#if defined(__x86_64__)
    READS(avx2, has_avx2),
    READS(avx512, has_avx512),
#endif
};
static const struct probe copies[] = {
    {"plain stored", "", always, 0, plain_copy_stored},
    {"memcpy", "", always, 0, library_copy},
#if defined(__x86_64__)
    COPIES(avx2, has_avx2),
    COPIES(avx512, has_avx512),
#endif
};

struct probe_list probes_read(void) {
    return (struct probe_list){reads, sizeof reads / sizeof *reads};
}
struct probe_list probes_copy(void) {
    return (struct probe_list){copies, sizeof copies / sizeof *copies};
}
