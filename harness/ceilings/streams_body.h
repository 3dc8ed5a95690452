/* streams_body.h: the reading and copying patterns, once for each width of vectors; included by streams.c with
 *   NAME(x) TARGET VECTOR VECTOR_BYTES LOAD(p) STORE(p, v) ADD(a, b), and where there is one STREAM(p, v) FENCE()
 * Reads are `streams` runs side by side, each in steps of `unroll` vectors, asking `ahead` bytes ahead (0: not). */

INLINE TARGET void NAME(read)(struct share *s, int64_t repeats, const int streams, const int unroll, const int ahead) {
    VECTOR sum[8] = {0};
    const size_t run = s->bytes / (size_t)streams, step = (size_t)unroll * VECTOR_BYTES;
    for (int64_t r = 0; r < repeats; r++) {
        for (size_t i = 0; i < run; i += step) {
            _Pragma("GCC unroll 4") for (int k = 0; k < streams; k++) {
                const char *p = s->data + (size_t)k * run + i;
                if (ahead) PREFETCH_RUN(p + ahead, step);
                _Pragma("GCC unroll 16") for (int u = 0; u < unroll; u++) sum[(k * unroll + u) % 8] =
                    ADD(sum[(k * unroll + u) % 8], LOAD(p + u * VECTOR_BYTES));
            }
        }
        __asm__ volatile("" : : : "memory"); /* the same words are read again, not remembered */
    }
    for (int i = 1; i < 8; i++) sum[0] = ADD(sum[0], sum[i]);
    uint64_t words[VECTOR_BYTES / 8];
    memcpy(words, &sum[0], sizeof words);
    for (size_t i = 0; i < VECTOR_BYTES / 8; i++) s->sink += words[i];
}

static TARGET void NAME(read_forward)(struct share *s, int64_t n) { NAME(read)(s, n, 1, 8, 0); }
static TARGET void NAME(read_unrolled)(struct share *s, int64_t n) { NAME(read)(s, n, 1, 16, 0); }
static TARGET void NAME(read_ahead)(struct share *s, int64_t n) { NAME(read)(s, n, 1, 8, 2048); }
static TARGET void NAME(read_two)(struct share *s, int64_t n) { NAME(read)(s, n, 2, 8, 0); }
static TARGET void NAME(read_four)(struct share *s, int64_t n) { NAME(read)(s, n, 4, 4, 1024); }

/* How the second half is written: through the caches, or past them. */
#define COPY_BY(name, WRITE, FINISH) \
    static TARGET void name(struct share *s, int64_t repeats) { \
        const size_t half = s->bytes / 2; \
        char *to = s->data + half; \
        for (int64_t r = 0; r < repeats; r++) { \
            for (size_t i = 0; i < half; i += 8 * VECTOR_BYTES) { \
                VECTOR v[8]; \
                _Pragma("GCC unroll 8") for (size_t u = 0; u < 8; u++) v[u] = LOAD(s->data + i + u * VECTOR_BYTES); \
                _Pragma("GCC unroll 8") for (size_t u = 0; u < 8; u++) WRITE(to + i + u * VECTOR_BYTES, v[u]); \
            } \
            __asm__ volatile("" : : : "memory"); \
        } \
        FINISH; \
    }
COPY_BY(NAME(copy_stored), STORE, (void)0)
#ifdef STREAM
COPY_BY(NAME(copy_streamed), STREAM, FENCE())
#endif

#undef COPY_BY
#undef NAME
#undef TARGET
#undef VECTOR
#undef VECTOR_BYTES
#undef LOAD
#undef STORE
#undef STREAM
#undef ADD
#undef FENCE
