/* handlers.c: NVTX's functions, as the program calls them. Marks are let go. */
#include <string.h>

#include "kernels/cuda/inject/inject.h"

enum { TEXT_BYTES = 1024 };

/* ---- names ---- */

static size_t put_utf8(char *to, uint32_t c) {
    if (c < 0x80) return to[0] = (char)c, 1;
    if (c < 0x800) return to[0] = (char)(0xc0 | c >> 6), to[1] = (char)(0x80 | (c & 0x3f)), 2;
    if (c < 0x10000) return to[0] = (char)(0xe0 | c >> 12), to[1] = (char)(0x80 | (c >> 6 & 0x3f)), to[2] = (char)(0x80 | (c & 0x3f)), 3;
    to[0] = (char)(0xf0 | (c >> 18 & 7)), to[1] = (char)(0x80 | (c >> 12 & 0x3f)), to[2] = (char)(0x80 | (c >> 6 & 0x3f)), to[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

/* wchar_t holds code points on Linux. */
static const char *narrow(const wchar_t *wide, char text[TEXT_BYTES]) {
    size_t n = 0;
    while (wide && *wide && n < TEXT_BYTES - 4) n += put_utf8(text + n, (uint32_t)*wide++);
    text[n] = 0;
    return text;
}

/* `text` has room for what has to be converted. */
static struct range_name name_of(const void *domain, const struct nvtx_attributes *a, char text[TEXT_BYTES]) {
    struct range_name n = {.domain = domain};
    int32_t kind = a && a->bytes >= sizeof *a ? a->message_kind : NVTX_MESSAGE_NONE;
    if (kind == NVTX_MESSAGE_TEXT) n.text = a->message.text;
    else if (kind == NVTX_MESSAGE_WIDE) n.text = narrow(a->message.wide, text);
    else if (kind == NVTX_MESSAGE_REGISTERED) n.registered = a->message.registered;
    return n;
}

/* ---- of the default domain ---- */

static int push_text(const char *text) { return ranges_push(inject_ranges(), &(struct range_name){.text = text}); }

static int push_wide(const wchar_t *wide) {
    char text[TEXT_BYTES];
    return push_text(narrow(wide, text));
}

static int domain_push(void *domain, const struct nvtx_attributes *a) {
    char text[TEXT_BYTES];
    struct range_name n = name_of(domain, a, text);
    return ranges_push(inject_ranges(), &n);
}

static int push(const struct nvtx_attributes *a) { return domain_push(NULL, a); }
static int domain_pop(void *domain) { return ranges_pop(inject_ranges(), domain); }
static int pop(void) { return domain_pop(NULL); }

static uint64_t start_text(const char *text) { return ranges_start(inject_ranges(), &(struct range_name){.text = text}); }

static uint64_t start_wide(const wchar_t *wide) {
    char text[TEXT_BYTES];
    return start_text(narrow(wide, text));
}

static uint64_t domain_start(void *domain, const struct nvtx_attributes *a) {
    char text[TEXT_BYTES];
    struct range_name n = name_of(domain, a, text);
    return ranges_start(inject_ranges(), &n);
}

static uint64_t start(const struct nvtx_attributes *a) { return domain_start(NULL, a); }
static void end(uint64_t id) { ranges_end(inject_ranges(), id); }

static void domain_end(void *domain, uint64_t id) {
    (void)domain;
    end(id);
}

/* ---- domains and strings ---- */

static void *create(const char *text) { return ranges_register(inject_ranges(), text ? text : ""); }

static void *create_wide(const wchar_t *wide) {
    char text[TEXT_BYTES];
    return create(narrow(wide, text));
}

static void *string(void *domain, const char *text) {
    (void)domain;
    return create(text);
}

static void *string_wide(void *domain, const wchar_t *wide) {
    (void)domain;
    return create_wide(wide);
}

/* ---- slots ---- */

struct handler {
    int module;
    unsigned slot;
    nvtx_function function;
};
#define HANDLER(module, slot, function) {NVTX_MODULE_##module, NVTX_##slot, (nvtx_function)(function)}

static const struct handler handlers[] = {
    HANDLER(CORE, PUSH_A, push_text), HANDLER(CORE, PUSH_W, push_wide), HANDLER(CORE, PUSH_EX, push), HANDLER(CORE, POP, pop),
    HANDLER(CORE, START_A, start_text), HANDLER(CORE, START_W, start_wide), HANDLER(CORE, START_EX, start), HANDLER(CORE, END, end),
    HANDLER(CORE2, DOMAIN_PUSH_EX, domain_push), HANDLER(CORE2, DOMAIN_POP, domain_pop), HANDLER(CORE2, DOMAIN_START_EX, domain_start),
    HANDLER(CORE2, DOMAIN_END, domain_end), HANDLER(CORE2, DOMAIN_CREATE_A, create), HANDLER(CORE2, DOMAIN_CREATE_W, create_wide),
    HANDLER(CORE2, DOMAIN_REGISTER_A, string), HANDLER(CORE2, DOMAIN_REGISTER_W, string_wide),
};

/* Modules of other versions have fewer slots. */
static int put(const struct nvtx_callbacks *callbacks, const struct handler *h) {
    nvtx_slots slots = NULL;
    unsigned n = 0;
    if (!callbacks->slots_of(h->module, &slots, &n) || !slots || h->slot >= n || !slots[h->slot]) return 0;
    *slots[h->slot] = h->function;
    return 1;
}

int handlers_install(nvtx_table_of table_of) {
    const struct nvtx_callbacks *callbacks = table_of(NVTX_TABLE_CALLBACKS);
    int n = 0;
    if (!callbacks || callbacks->bytes < sizeof *callbacks) return 0;
    for (size_t i = 0; i < sizeof handlers / sizeof *handlers; i++) n += put(callbacks, &handlers[i]);
    return n > 0;
}
