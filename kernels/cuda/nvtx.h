/* nvtx.h: how a tool is told of a program's NVTX ranges, as far as ranges go. The program's NVTX is a header of its own
 * in each module; on its first call it loads the library that NVTX_INJECTION64_PATH names, calls that library's
 * InitializeInjectionNvtx2 with a function that hands out tables, and the tool puts its functions into their slots.
 * Declared here, with the headers' numbers and layouts, so that a build without a toolkit has it; layout_check.c
 * compares them with the headers where they are at hand. */
#ifndef ASSAY_KERNELS_CUDA_NVTX_H
#define ASSAY_KERNELS_CUDA_NVTX_H

#include <stddef.h>
#include <stdint.h>
#include <wchar.h>

enum { NVTX_API_VERSION = 3 };
enum { NVTX_TABLE_CALLBACKS = 1, NVTX_TABLE_VERSION = 3 };
enum {
    NVTX_MODULE_CORE = 1, NVTX_MODULE_CUDA = 2, NVTX_MODULE_OPENCL = 3, NVTX_MODULE_CUDART = 4, NVTX_MODULE_CORE2 = 5, NVTX_MODULE_SYNC = 6,
    NVTX_MODULES = 7
};
enum { NVTX_CUDA_SLOTS = 9, NVTX_OPENCL_SLOTS = 15, NVTX_CUDART_SLOTS = 7, NVTX_SYNC_SLOTS = 7, NVTX_MOST_SLOTS = 16 };

/* Slots of the two modules' tables that have to do with ranges. */
enum nvtx_core {
    NVTX_START_EX = 4, NVTX_START_A = 5, NVTX_START_W = 6, NVTX_END = 7, NVTX_PUSH_EX = 8, NVTX_PUSH_A = 9, NVTX_PUSH_W = 10, NVTX_POP = 11,
    NVTX_CORE_SLOTS = 16
};
enum nvtx_core2 {
    NVTX_DOMAIN_START_EX = 2, NVTX_DOMAIN_END = 3, NVTX_DOMAIN_PUSH_EX = 4, NVTX_DOMAIN_POP = 5, NVTX_DOMAIN_REGISTER_A = 10,
    NVTX_DOMAIN_REGISTER_W = 11, NVTX_DOMAIN_CREATE_A = 12, NVTX_DOMAIN_CREATE_W = 13, NVTX_CORE2_SLOTS = 16
};

enum { NVTX_MESSAGE_NONE = 0, NVTX_MESSAGE_TEXT = 1, NVTX_MESSAGE_WIDE = 2, NVTX_MESSAGE_REGISTERED = 3 };
struct nvtx_attributes {
    uint16_t version, bytes;
    uint32_t category;
    int32_t color_kind;
    uint32_t color;
    int32_t payload_kind, reserved;
    uint64_t payload;
    int32_t message_kind;
    union {
        const char *text;
        const wchar_t *wide;
        void *registered;          /* what registering gave */
    } message;
};

typedef void (*nvtx_function)(void);
typedef nvtx_function **nvtx_slots; /* a pointer to each slot */
struct nvtx_callbacks {
    size_t bytes;
    int (*slots_of)(int module, nvtx_slots *slots, unsigned *n); /* 0: there is no such module */
};
struct nvtx_version_info {
    size_t bytes;
    uint32_t version, reserved;
    void (*tool_version)(uint32_t version); /* which the tool may tell of */
};
typedef const void *(*nvtx_table_of)(uint32_t id);

/* Of what pushes and pops return: where nothing is pushed, and where nobody counts. */
enum { NVTX_NOTHING_PUSHED = -1, NVTX_NOT_COUNTED = -2 };

#endif
