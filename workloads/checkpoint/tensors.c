/* tensors.c: the list of tensors, whatever file they came from: sizes, overlap, alignment, order. */
#include <stdlib.h>
#include <sys/mman.h>

#include "workloads/checkpoint/parse.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "checkpoints are little-endian and are read in place");

enum status tensors_reserve(struct checkpoint *c, const struct source *s, uint64_t more, struct error *e) {
    if (more > CHECKPOINT_MAX_TENSORS || c->n_tensors + more > CHECKPOINT_MAX_TENSORS)
        return error_set(e, STATUS_INPUT, "%s: claims %llu tensors; at most %d are read", s->file,
                         (unsigned long long)more, CHECKPOINT_MAX_TENSORS);
    c->tensors = mem_resize(c->tensors, (c->n_tensors + (size_t)more) * sizeof *c->tensors);
    return STATUS_OK;
}

enum status tensor_measure(const struct source *s, struct checkpoint_tensor *t, struct error *e) {
    size_t elements = 1;
    int is_empty = 0, is_too_large = 0;
    for (int i = 0; i < t->n_dims; i++) is_empty |= t->dims[i] == 0;
    for (int i = 0; i < t->n_dims && !is_empty; i++)
        is_too_large |= __builtin_mul_overflow(elements, (size_t)t->dims[i], &elements);
    if (is_empty) elements = 0;
    size_t block = t->encoding ? (size_t)t->encoding->block : 1;
    size_t block_bytes = t->encoding ? (size_t)t->encoding->block_bytes : dtype_bytes(t->dtype);
    int64_t row = t->n_dims > 0 ? t->dims[t->n_dims - 1] : 1;
    if ((uint64_t)row % block != 0)
        return error_set(e, STATUS_INPUT, "%s: tensor '%.*s': rows of %lld elements are not whole blocks of %zu (%s)",
                         s->file, CHECKPOINT_SHOWN_BYTES, t->name, (long long)row, block, t->encoding->name);
    is_too_large |= __builtin_mul_overflow(elements / block, block_bytes, &t->bytes);
    if (is_too_large)
        return error_set(e, STATUS_INPUT, "%s: tensor '%.*s': its shape has more elements than memory has addresses",
                         s->file, CHECKPOINT_SHOWN_BYTES, t->name);
    return STATUS_OK;
}

static int by_address(const void *a, const void *b) {
    const struct checkpoint_tensor *x = a, *y = b;
    uintptr_t p = (uintptr_t)x->data, q = (uintptr_t)y->data;
    return p != q ? (p > q) - (p < q) : (x->bytes > y->bytes) - (x->bytes < y->bytes); /* empty ones first */
}

/* 0 where reading t in place is fine: encoded blocks hold bytes and are read by bytes. */
static size_t copy_bytes(const struct checkpoint_tensor *t) {
    int is_packed = t->encoding && t->encoding->block > 1;
    if (is_packed || (uintptr_t)t->data % dtype_bytes(t->dtype) == 0) return 0;
    return (t->bytes + 63) / 64 * 64;
}

static enum status copy_misaligned(struct checkpoint *c, const struct source *s, size_t first, struct error *e) {
    size_t total = 0;
    for (size_t i = first; i < c->n_tensors; i++) total += copy_bytes(&c->tensors[i]);
    if (total == 0) return STATUS_OK;
    uint8_t *p = mmap(NULL, total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return error_set(e, STATUS_NO_MEMORY, "%s: its tensors are not aligned to their type, and there is no memory "
                         "for a copy of %zu bytes; write the file again with a current tool", s->file, total);
    c->files = mem_resize(c->files, (c->n_files + 1) * sizeof *c->files);
    c->files[c->n_files++] = (struct file_map){.data = p, .size = total};
    for (size_t i = first; i < c->n_tensors; i++) {
        struct checkpoint_tensor *t = &c->tensors[i];
        size_t bytes = copy_bytes(t);
        if (bytes == 0) continue;
        t->data = memcpy(p, t->data, t->bytes);
        p += bytes;
    }
    return STATUS_OK;
}

enum status tensors_settle(struct checkpoint *c, const struct source *s, size_t first, struct error *e) {
    size_t n = c->n_tensors - first;
    if (n == 0) return STATUS_OK;
    qsort(c->tensors + first, n, sizeof *c->tensors, by_address);
    for (size_t i = first + 1; i < c->n_tensors; i++) {
        const struct checkpoint_tensor *a = &c->tensors[i - 1], *b = &c->tensors[i];
        if (a->bytes == 0 || b->bytes == 0 || (const uint8_t *)a->data + a->bytes <= (const uint8_t *)b->data) continue;
        return error_set(e, STATUS_INPUT, "%s: tensor '%.*s' overlaps tensor '%.*s' (at byte %zu of the file)", s->file,
                         CHECKPOINT_SHOWN_BYTES, b->name, CHECKPOINT_SHOWN_BYTES, a->name,
                         (size_t)((const uint8_t *)b->data - s->data));
    }
    return copy_misaligned(c, s, first, e);
}

static int by_name(const void *a, const void *b) {
    const struct checkpoint_tensor *x = a, *y = b;
    return strcmp(x->name, y->name);
}

enum status tensors_sort(struct checkpoint *c, struct error *e) {
    if (c->n_tensors > 0) qsort(c->tensors, c->n_tensors, sizeof *c->tensors, by_name);
    for (size_t i = 1; i < c->n_tensors; i++)
        if (strcmp(c->tensors[i - 1].name, c->tensors[i].name) == 0)
            return error_set(e, STATUS_INPUT, "%s: there are two tensors '%.*s'%s", c->path, CHECKPOINT_SHOWN_BYTES,
                             c->tensors[i].name, c->n_files > 1 && !c->is_gguf ? ", in different shards" : "");
    return STATUS_OK;
}

const struct checkpoint_tensor *checkpoint_find(const struct checkpoint *c, const char *name) {
    struct checkpoint_tensor key = {.name = name};
    return c->n_tensors ? bsearch(&key, c->tensors, c->n_tensors, sizeof *c->tensors, by_name) : NULL;
}
