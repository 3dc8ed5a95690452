/* cupti.c: libcupti.so.13 for programs of the scripted device: the emulator's stand-in under the library's own names.
 * SCRIPTED_CUPTI (environment) is what goes wrong: taken, denied, drops or untimed. */
#include <stdlib.h>
#include <string.h>

#include "kernels/cuda/cupti.h"
#include "kernels/cuda/emulator/cupti.h"

#define EXPORT __attribute__((visibility("default")))
static const struct cupti *const stand_in = &cuda_emulated_cupti;

__attribute__((constructor)) static void read_script(void) {
    const char *trouble = getenv("SCRIPTED_CUPTI"), *device = getenv("SCRIPTED_DEVICE"), *colon = device ? strchr(device, ':') : NULL;
    static const struct {
        const char *name;
        enum emulator_cupti_trouble trouble;
        int n;
    } troubles[] = {{"taken", EMULATOR_CUPTI_TAKEN, 1}, {"denied", EMULATOR_CUPTI_DENIED, 1}, {"drops", EMULATOR_CUPTI_DROPS, 3}, {"untimed", EMULATOR_CUPTI_UNTIMED, 2}};
    for (size_t i = 0; trouble && i < sizeof troubles / sizeof *troubles; i++)
        if (strcmp(trouble, troubles[i].name) == 0) emulator_cupti_trouble(troubles[i].trouble, troubles[i].n);
    struct emulator_cupti_device d = {.device = device ? (uint32_t)atoi(device) : 0, .name = "Scripted GPU"};
    memset(d.uuid, colon ? atoi(colon + 1) : 1, sizeof d.uuid);
    emulator_cupti_device(&d);
}

EXPORT int cuptiGetVersion(uint32_t *version) { return *version = 130001, CUPTI_OK; }
EXPORT int cuptiGetResultString(int status, const char **text) { return stand_in->GetResultString(status, text); }
EXPORT int cuptiGetTimestamp(uint64_t *ns) { return stand_in->GetTimestamp(ns); }
EXPORT int cuptiGetCallbackName(uint32_t domain, uint32_t id, const char **name) { return stand_in->GetCallbackName(domain, id, name); }
EXPORT int cuptiSubscribe(void **subscriber, cupti_callback callback, void *user) { return stand_in->Subscribe(subscriber, callback, user); }
EXPORT int cuptiUnsubscribe(void *subscriber) { return stand_in->Unsubscribe(subscriber); }
EXPORT int cuptiEnableCallback(uint32_t is_on, void *subscriber, uint32_t domain, uint32_t id) { return stand_in->EnableCallback(is_on, subscriber, domain, id); }
EXPORT int cuptiActivityRegisterCallbacks(cupti_buffer_wanted wanted, cupti_buffer_filled filled) { return stand_in->ActivityRegisterCallbacks(wanted, filled); }
EXPORT int cuptiActivityEnable(uint32_t kind) { return stand_in->ActivityEnable(kind); }
EXPORT int cuptiActivityDisable(uint32_t kind) { return stand_in->ActivityDisable(kind); }
EXPORT int cuptiActivitySetAttribute(uint32_t attribute, size_t *bytes, void *value) { return stand_in->ActivitySetAttribute(attribute, bytes, value); }
EXPORT int cuptiActivityGetNextRecord(uint8_t *buffer, size_t valid, struct cupti_record **record) { return stand_in->ActivityGetNextRecord(buffer, valid, record); }
EXPORT int cuptiActivityGetNumDroppedRecords(void *context, uint32_t stream, size_t *dropped) { return stand_in->ActivityGetNumDroppedRecords(context, stream, dropped); }
EXPORT int cuptiActivityFlushAll(uint32_t flags) { return stand_in->ActivityFlushAll(flags); }
EXPORT int cuptiActivityPushExternalCorrelationId(uint32_t kind, uint64_t id) { return stand_in->ActivityPushExternalCorrelationId(kind, id); }
EXPORT int cuptiActivityPopExternalCorrelationId(uint32_t kind, uint64_t *last) { return stand_in->ActivityPopExternalCorrelationId(kind, last); }
EXPORT int cuptiGetGraphNodeId(void *node, uint64_t *id) { return stand_in->GetGraphNodeId(node, id); }
