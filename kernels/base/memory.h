/* memory.h: two kinds of memory.
 *
 * Small bookkeeping (names, lists, tables) comes from mem_* or an arena and cannot fail in the caller's
 * eyes: when the system refuses, the out-of-memory handler runs, which the command line sets to print one
 * line and exit and which tests set to longjmp. What scales with a model or a file (weights, buffers,
 * a whole file's bytes) must use mem_try, whose NULL the caller turns into STATUS_NO_MEMORY.
 *
 * Every allocation is counted, so that a test can prove that a timed region made none. */
#ifndef ASSAY_KERNELS_BASE_MEMORY_H
#define ASSAY_KERNELS_BASE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

void *mem_alloc(size_t bytes);               /* zeroed */
void *mem_resize(void *p, size_t bytes);     /* as realloc */
char *mem_copy_string(const char *s);
char *mem_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
void mem_free(void *p);                      /* NULL is fine */

/* Large, 64-byte aligned (2 MiB and huge pages advised from 4 MiB on), zeroed; NULL when refused. */
void *mem_try(size_t bytes);
void mem_try_free(void *p, size_t bytes);

typedef void (*mem_handler)(size_t bytes);
void mem_set_handler(mem_handler handler);   /* NULL: abort */

/* Does `work` and returns 1; 0 where the system refused memory: `work` was left there, and no handler was asked. What it
 * had begun stays as it is. For code in somebody else's program. */
int mem_attempt(void (*work)(void *), void *arg);

uint64_t mem_allocations(void);              /* calls so far, this process */
void mem_fail_after(int64_t n);              /* fault injection: the n-th next call fails; < 0: never */

/* Makes room for one more in a growing list: LIST_GROW(items, count, capacity). */
#define LIST_GROW(items, count, capacity) \
    ((items) = mem_grow((items), (size_t)(count), &(capacity), sizeof *(items)))
void *mem_grow(void *items, size_t count, size_t *capacity, size_t item_bytes);
/* The same by half, and without touching what is new: of millions of rows only those that are used cost memory. */
#define LIST_EXTEND(items, count, capacity) \
    ((items) = mem_extend((items), (size_t)(count), &(capacity), sizeof *(items)))
void *mem_extend(void *items, size_t count, size_t *capacity, size_t item_bytes);

/* An arena: everything in it is freed at once. */
struct arena {
    struct arena_block *blocks;
};
void *arena_alloc(struct arena *a, size_t bytes);            /* zeroed, 16-byte aligned */
char *arena_copy_string(struct arena *a, const char *s);
char *arena_copy_bytes(struct arena *a, const void *p, size_t bytes);  /* with a NUL after */
char *arena_printf(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
void arena_free(struct arena *a);

/* A growing string, always NUL-terminated. */
struct text {
    char *data;
    size_t length, capacity;
};
void text_append(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_append_bytes(struct text *t, const void *p, size_t bytes);
void text_free(struct text *t);

#endif
