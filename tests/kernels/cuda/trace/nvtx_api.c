#include "tests/kernels/cuda/trace/nvtx_api.h"

#include "kernels/cuda/nvtx_client.h"

#define CALL(type, arguments, module, i, otherwise, ...) \
    type(*f) arguments = (type(*) arguments)nvtx_slot(module, i); \
    return f ? f(__VA_ARGS__) : (otherwise)

void nvtxMarkA(const char *text) { (void)text; }
int nvtxRangePushA(const char *text) { CALL(int, (const char *), NVTX_MODULE_CORE, NVTX_PUSH_A, NVTX_NOT_COUNTED, text); }
int nvtxRangePushW(const wchar_t *text) { CALL(int, (const wchar_t *), NVTX_MODULE_CORE, NVTX_PUSH_W, NVTX_NOT_COUNTED, text); }
int nvtxRangePushEx(const nvtxEventAttributes_t *a) { CALL(int, (const nvtxEventAttributes_t *), NVTX_MODULE_CORE, NVTX_PUSH_EX, NVTX_NOT_COUNTED, a); }
int nvtxRangePop(void) { CALL(int, (void), NVTX_MODULE_CORE, NVTX_POP, NVTX_NOT_COUNTED, ); }
nvtxRangeId_t nvtxRangeStartA(const char *text) { CALL(nvtxRangeId_t, (const char *), NVTX_MODULE_CORE, NVTX_START_A, 0, text); }
nvtxDomainHandle_t nvtxDomainCreateA(const char *name) { CALL(nvtxDomainHandle_t, (const char *), NVTX_MODULE_CORE2, NVTX_DOMAIN_CREATE_A, NULL, name); }
nvtxStringHandle_t nvtxDomainRegisterStringA(nvtxDomainHandle_t domain, const char *text) {
    CALL(nvtxStringHandle_t, (nvtxDomainHandle_t, const char *), NVTX_MODULE_CORE2, NVTX_DOMAIN_REGISTER_A, NULL, domain, text);
}
int nvtxDomainRangePushEx(nvtxDomainHandle_t domain, const nvtxEventAttributes_t *a) {
    CALL(int, (nvtxDomainHandle_t, const nvtxEventAttributes_t *), NVTX_MODULE_CORE2, NVTX_DOMAIN_PUSH_EX, NVTX_NOT_COUNTED, domain, a);
}
int nvtxDomainRangePop(nvtxDomainHandle_t domain) { CALL(int, (nvtxDomainHandle_t), NVTX_MODULE_CORE2, NVTX_DOMAIN_POP, NVTX_NOT_COUNTED, domain); }

void nvtxRangeEnd(nvtxRangeId_t id) {
    void (*f)(nvtxRangeId_t) = (void (*)(nvtxRangeId_t))nvtx_slot(NVTX_MODULE_CORE, NVTX_END);
    if (f) f(id);
}
