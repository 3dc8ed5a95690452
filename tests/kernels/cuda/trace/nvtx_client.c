#include "tests/kernels/cuda/trace/nvtx_client.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>

#include "kernels/cuda/inject/nvtx.h"

enum { NOT_COUNTED = -2 };

static nvtx_function core[NVTX_CORE_SLOTS], core2[NVTX_CORE2_SLOTS];
static nvtx_function *core_slots[NVTX_CORE_SLOTS + 1], *core2_slots[NVTX_CORE2_SLOTS + 1];
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* ---- loading a tool: on the first call of a program ---- */

static int slots_of(int module, nvtx_slots *slots, unsigned *n) {
    *slots = module == NVTX_MODULE_CORE ? core_slots : core2_slots;
    *n = module == NVTX_MODULE_CORE ? NVTX_CORE_SLOTS : NVTX_CORE2_SLOTS;
    return module == NVTX_MODULE_CORE || module == NVTX_MODULE_CORE2;
}

static const void *table_of(uint32_t id) {
    static const struct nvtx_callbacks callbacks = {sizeof callbacks, slots_of};
    return id == NVTX_TABLE_CALLBACKS ? &callbacks : NULL;
}

static void load(void) {
    const char *path = getenv("NVTX_INJECTION64_PATH");
    int (*begin)(nvtx_table_of) = NULL;
    for (int i = 1; i < NVTX_CORE_SLOTS; i++) core_slots[i] = &core[i];
    for (int i = 1; i < NVTX_CORE2_SLOTS; i++) core2_slots[i] = &core2[i];
    void *library = path ? dlopen(path, RTLD_LAZY) : NULL;
    if (!library) return;
    *(void **)&begin = dlsym(library, "InitializeInjectionNvtx2");
    if (!begin || !begin(table_of)) dlclose(library);
}

static nvtx_function slot(const nvtx_function *module, int i) {
    pthread_once(&once, load);
    return module[i];
}

/* ---- the interface ---- */

#define CALL(type, arguments, module, i, otherwise, ...) \
    type(*f) arguments = (type(*) arguments)slot(module, i); \
    return f ? f(__VA_ARGS__) : (otherwise)

void nvtxMarkA(const char *text) { (void)text; }
int nvtxRangePushA(const char *text) { CALL(int, (const char *), core, NVTX_PUSH_A, NOT_COUNTED, text); }
int nvtxRangePushW(const wchar_t *text) { CALL(int, (const wchar_t *), core, NVTX_PUSH_W, NOT_COUNTED, text); }
int nvtxRangePushEx(const nvtxEventAttributes_t *a) { CALL(int, (const nvtxEventAttributes_t *), core, NVTX_PUSH_EX, NOT_COUNTED, a); }
int nvtxRangePop(void) { CALL(int, (void), core, NVTX_POP, NOT_COUNTED, ); }
nvtxRangeId_t nvtxRangeStartA(const char *text) { CALL(nvtxRangeId_t, (const char *), core, NVTX_START_A, 0, text); }
nvtxDomainHandle_t nvtxDomainCreateA(const char *name) { CALL(nvtxDomainHandle_t, (const char *), core2, NVTX_DOMAIN_CREATE_A, NULL, name); }
nvtxStringHandle_t nvtxDomainRegisterStringA(nvtxDomainHandle_t domain, const char *text) {
    CALL(nvtxStringHandle_t, (nvtxDomainHandle_t, const char *), core2, NVTX_DOMAIN_REGISTER_A, NULL, domain, text);
}
int nvtxDomainRangePushEx(nvtxDomainHandle_t domain, const nvtxEventAttributes_t *a) {
    CALL(int, (nvtxDomainHandle_t, const nvtxEventAttributes_t *), core2, NVTX_DOMAIN_PUSH_EX, NOT_COUNTED, domain, a);
}
int nvtxDomainRangePop(nvtxDomainHandle_t domain) { CALL(int, (nvtxDomainHandle_t), core2, NVTX_DOMAIN_POP, NOT_COUNTED, domain); }

void nvtxRangeEnd(nvtxRangeId_t id) {
    void (*f)(nvtxRangeId_t) = (void (*)(nvtxRangeId_t))slot(core, NVTX_END);
    if (f) f(id);
}
