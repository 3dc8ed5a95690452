/* nvtx_tool.c: a tool that NVTX loads, in the place of nsys and ncu: writes the ranges of each process as they begin, a line
 * each, indented by how deep they lie, to the file that NVTX_TOOL_FILE names with the process's number behind it. A pop of
 * nothing is a line "unbalanced", a range that is open as the process ends is no line. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "kernels/cuda/nvtx.h"

#define EXPORT __attribute__((visibility("default")))

static _Thread_local int depth;

/* At once: processes may be killed. */
static void put(const char *domain, const char *name) {
    static int file = -1;
    char line[512], path[512];
    if (file < 0) {
        snprintf(path, sizeof path, "%.480s.%ld", getenv("NVTX_TOOL_FILE"), (long)getpid());
        file = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    }
    int n = snprintf(line, sizeof line, "%s:%*s %s\n", domain, 2 * depth, "", name);
    if (write(file, line, (size_t)n) != n) abort();
}

static void *create(const char *name) { return (void *)(uintptr_t)name; }

static int push(void *domain, const struct nvtx_attributes *a) {
    put(domain ? domain : "", a->version == NVTX_API_VERSION && a->bytes == sizeof *a && a->message_kind == NVTX_MESSAGE_TEXT ? a->message.text : "?");
    return depth++;
}

static int pop(void *domain) {
    if (depth > 0) return --depth;
    put(domain ? domain : "", "unbalanced");
    return NVTX_NOTHING_PUSHED;
}

/* Asks for all that the header has, as tools do, and refuses what lacks any of it. */
EXPORT int InitializeInjectionNvtx2(nvtx_table_of table_of) {
    const struct nvtx_callbacks *callbacks = table_of(NVTX_TABLE_CALLBACKS);
    const struct nvtx_version_info *version = table_of(NVTX_TABLE_VERSION);
    nvtx_slots slots = NULL;
    unsigned n = 0;
    if (getenv("NVTX_TOOL_REFUSES") || !version || version->version != NVTX_API_VERSION) return 0;
    for (int module = 1; module < NVTX_MODULES; module++)
        if (!callbacks->slots_of(module, &slots, &n) || slots[0] || slots[n]) return 0;
    callbacks->slots_of(NVTX_MODULE_CORE2, &slots, &n);
    *slots[NVTX_DOMAIN_CREATE_A] = (nvtx_function)create;
    *slots[NVTX_DOMAIN_PUSH_EX] = (nvtx_function)push;
    *slots[NVTX_DOMAIN_POP] = (nvtx_function)pop;
    return 1;
}
