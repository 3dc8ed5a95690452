/* nvtx_api.h: the part of NVTX's C interface that traced.c uses, on our own client, for builds without a toolkit (names
 * and numbers are NVTX's, so that programs compile with either). */
#ifndef ASSAY_TESTS_KERNELS_CUDA_TRACE_NVTX_API_H
#define ASSAY_TESTS_KERNELS_CUDA_TRACE_NVTX_API_H

#include <stdint.h>
#include <wchar.h>

typedef struct nvtx_domain *nvtxDomainHandle_t;
typedef struct nvtx_string *nvtxStringHandle_t;
typedef uint64_t nvtxRangeId_t;

enum { NVTX_VERSION = 3, NVTX_MESSAGE_TYPE_ASCII = 1, NVTX_MESSAGE_TYPE_UNICODE = 2, NVTX_MESSAGE_TYPE_REGISTERED = 3 };
typedef struct nvtx_api_attributes {
    uint16_t version, size;
    uint32_t category;
    int32_t colorType;
    uint32_t color;
    int32_t payloadType, reserved0;
    uint64_t payload;
    int32_t messageType;
    union {
        const char *ascii;
        const wchar_t *unicode;
        nvtxStringHandle_t registered;
    } message;
} nvtxEventAttributes_t;
#define NVTX_EVENT_ATTRIB_STRUCT_SIZE ((uint16_t)sizeof(nvtxEventAttributes_t))

void nvtxMarkA(const char *text);
int nvtxRangePushA(const char *text);
int nvtxRangePushW(const wchar_t *text);
int nvtxRangePushEx(const nvtxEventAttributes_t *a);
int nvtxRangePop(void);
nvtxRangeId_t nvtxRangeStartA(const char *text);
void nvtxRangeEnd(nvtxRangeId_t id);
nvtxDomainHandle_t nvtxDomainCreateA(const char *name);
nvtxStringHandle_t nvtxDomainRegisterStringA(nvtxDomainHandle_t domain, const char *text);
int nvtxDomainRangePushEx(nvtxDomainHandle_t domain, const nvtxEventAttributes_t *a);
int nvtxDomainRangePop(nvtxDomainHandle_t domain);

#endif
