/* records.h: buffers of CUPTI's activity records made by hand, as the library that walks them lays them out: how long a
 * record is differs between its versions. */
#ifndef ASSAY_TESTS_KERNELS_CUDA_RECORDS_H
#define ASSAY_TESTS_KERNELS_CUDA_RECORDS_H

#include <assert.h>
#include <string.h>

#include "kernels/cuda/recorder.h"

enum { RECORDS_KINDS = 64, RECORDS_LONGEST = 1024, RECORDS_BUFFER_BYTES = 4 << 20 };
struct records {
    const struct cupti *library;
    size_t bytes_of[RECORDS_KINDS]; /* of records; 0: not asked yet */
    size_t used;
    _Alignas(8) uint8_t buffer[RECORDS_BUFFER_BYTES];
};

/* How far the library steps over a record of a kind; 0: it knows none. Every word of the buffer says the kind, so that
 * wherever it steps to there is one. */
static inline size_t records_bytes_of(const struct cupti *library, uint32_t kind) {
    _Alignas(8) uint8_t buffer[RECORDS_LONGEST];
    struct cupti_record *record = NULL;
    for (size_t i = 0; i < RECORDS_LONGEST; i += 8) memcpy(buffer + i, &(uint64_t){kind}, 8);
    if (library->ActivityGetNextRecord(buffer, RECORDS_LONGEST, &record) != CUPTI_OK) return 0;
    int code = library->ActivityGetNextRecord(buffer, RECORDS_LONGEST, &record);
    return code == CUPTI_OK ? (size_t)((uint8_t *)record - buffer) : 0;
}

/* The library's number of a runtime call, "cudaLaunchKernel_v7000"; 0: it knows none. */
static inline uint32_t records_callback_of(const struct cupti *library, const char *name) {
    const char *text = NULL;
    for (uint32_t id = 1; id < 1000; id++)
        if (library->GetCallbackName(CUPTI_DOMAIN_RUNTIME, id, &text) == CUPTI_OK && text && strcmp(text, name) == 0) return id;
    return 0;
}

/* For the stand-in, which knows the names of calls that were made: those that tests replay. */
static inline int records_callback_name(uint32_t domain, uint32_t id, const char **name) {
    static const char *const names[] = {NULL, "cudaLaunchKernel_v7000", "cudaMemcpyAsync_v3020", "cudaGetDevice_v3020", "cudaDeviceSynchronize_v3020", "cudaGraphLaunch_v10000"};
    (void)domain;
    *name = id < sizeof names / sizeof *names ? names[id] : NULL;
    return CUPTI_OK;
}

/* Whether any record finds room. */
static inline int records_has_room(const struct records *b) { return b->used + RECORDS_LONGEST <= RECORDS_BUFFER_BYTES; }

/* One more, at its length in the library; `record` holds the `bytes` of it that we know. */
static inline void records_put(struct records *b, const void *record, size_t bytes) {
    size_t *length = &b->bytes_of[((const struct cupti_record *)record)->kind];
    if (!*length) *length = records_bytes_of(b->library, ((const struct cupti_record *)record)->kind);
    assert(records_has_room(b) && *length >= bytes);
    memcpy(b->buffer + b->used, record, bytes);
    memset(b->buffer + b->used + bytes, 0, *length - bytes);
    b->used += *length;
}
#define RECORDS_PUT(b, ...) records_put((b), &__VA_ARGS__, sizeof __VA_ARGS__)

/* Gives the buffer to a recorder, the last `cut` bytes of it missing, and begins anew. */
static inline void records_read(struct records *b, struct recorder *r, size_t cut) {
    recorder_read(r, b->buffer, b->used - cut);
    b->used = 0;
}

#endif
