#include "kernels/base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static _Atomic uint64_t allocation_count;
static _Atomic int64_t fail_countdown = -1;
static mem_handler out_of_memory;
static _Thread_local jmp_buf *attempt; /* the innermost of the thread */

enum { HUGE_PAGE_BYTES = 2 << 20, LINE_BYTES = 64 };

void mem_set_handler(mem_handler handler) { out_of_memory = handler; }
uint64_t mem_allocations(void) { return atomic_load(&allocation_count); }
void mem_fail_after(int64_t n) { atomic_store(&fail_countdown, n); }

/* Counts a call; true where fault injection wants it to fail. */
static int is_refused(void) {
    atomic_fetch_add_explicit(&allocation_count, 1, memory_order_relaxed);
    int64_t left = atomic_load_explicit(&fail_countdown, memory_order_relaxed);
    if (left < 0) return 0;
    return atomic_fetch_sub(&fail_countdown, 1) == 0;
}

static void refuse(size_t bytes) {
    if (attempt) longjmp(*attempt, 1);
    if (out_of_memory) out_of_memory(bytes);
    abort();
}

int mem_attempt(void (*work)(void *), void *arg) {
    jmp_buf here, *outer = attempt;
    int is_done = 0;
    attempt = &here;
    if (setjmp(here) == 0) {
        work(arg);
        is_done = 1;
    }
    attempt = outer;
    return is_done;
}

void *mem_alloc(size_t bytes) {
    void *p = is_refused() ? NULL : calloc(1, bytes ? bytes : 1);
    if (!p) refuse(bytes);
    return p;
}

void *mem_resize(void *p, size_t bytes) {
    void *q = is_refused() ? NULL : realloc(p, bytes ? bytes : 1);
    if (!q) refuse(bytes);
    return q;
}

void mem_free(void *p) { free(p); }

char *mem_copy_string(const char *s) {
    size_t n = strlen(s) + 1;
    return memcpy(mem_alloc(n), s, n);
}

char *mem_printf(const char *format, ...) {
    va_list args;
    va_start(args, format);
    char *s = NULL;
    if (vasprintf(&s, format, args) < 0) refuse(0);
    va_end(args);
    return s;
}

void *mem_try(size_t bytes) {
    if (is_refused()) return NULL;
    int is_big = bytes >= 2 * (size_t)HUGE_PAGE_BYTES;
    size_t align = is_big ? HUGE_PAGE_BYTES : LINE_BYTES;
    size_t rounded = (bytes + align - 1) / align * align;
    if (rounded < bytes) return NULL;
    void *p = aligned_alloc(align, rounded ? rounded : align);
    if (!p) return NULL;
    if (is_big) madvise(p, rounded, MADV_HUGEPAGE);
    return memset(p, 0, rounded ? rounded : align);
}

void mem_try_free(void *p, size_t bytes) {
    (void)bytes;
    free(p);
}

void *mem_grow(void *items, size_t count, size_t *capacity, size_t item_bytes) {
    if (count < *capacity) return items;
    size_t more = *capacity ? *capacity * 2 : 16;
    while (more <= count) more *= 2;
    items = mem_resize(items, more * item_bytes);
    memset((char *)items + *capacity * item_bytes, 0, (more - *capacity) * item_bytes);
    *capacity = more;
    return items;
}

void *mem_extend(void *items, size_t count, size_t *capacity, size_t item_bytes) {
    if (count < *capacity) return items;
    size_t more = *capacity + (*capacity ? *capacity / 2 : 64);
    items = mem_resize(items, more * item_bytes);
    *capacity = more;
    return items;
}

struct arena_block {
    struct arena_block *next;
    size_t used, size;
    _Alignas(16) unsigned char data[];
};

void *arena_alloc(struct arena *a, size_t bytes) {
    size_t need = (bytes + 15) / 16 * 16;
    if (need == 0) need = 16;
    struct arena_block *b = a->blocks;
    if (!b || b->size - b->used < need) {
        size_t size = need > 65536 ? need : 65536;
        b = mem_alloc(sizeof *b + size);
        b->size = size;
        b->next = a->blocks;
        a->blocks = b;
    }
    void *p = b->data + b->used;
    b->used += need;
    return p;
}

char *arena_copy_bytes(struct arena *a, const void *p, size_t bytes) {
    char *s = arena_alloc(a, bytes + 1);
    if (bytes) memcpy(s, p, bytes);
    return s;
}

char *arena_copy_string(struct arena *a, const char *s) { return arena_copy_bytes(a, s, strlen(s)); }

char *arena_printf(struct arena *a, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *s = arena_alloc(a, (size_t)(n < 0 ? 0 : n) + 1);
    if (n > 0) vsnprintf(s, (size_t)n + 1, format, again);
    va_end(again);
    return s;
}

void arena_free(struct arena *a) {
    for (struct arena_block *b = a->blocks, *next; b; b = next) {
        next = b->next;
        mem_free(b);
    }
    a->blocks = NULL;
}

static void text_reserve(struct text *t, size_t more) {
    size_t need = t->length + more + 1;
    if (need <= t->capacity) return;
    size_t size = t->capacity ? t->capacity : 64;
    while (size < need) size *= 2;
    t->data = mem_resize(t->data, size);
    t->capacity = size;
}

void text_append_bytes(struct text *t, const void *p, size_t bytes) {
    text_reserve(t, bytes);
    if (bytes) memcpy(t->data + t->length, p, bytes);
    t->length += bytes;
    t->data[t->length] = 0;
}

void text_append(struct text *t, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n > 0) {
        text_reserve(t, (size_t)n);
        vsnprintf(t->data + t->length, (size_t)n + 1, format, again);
        t->length += (size_t)n;
    } else {
        text_reserve(t, 0);
        t->data[t->length] = 0;
    }
    va_end(again);
}

void text_free(struct text *t) {
    mem_free(t->data);
    *t = (struct text){0};
}
