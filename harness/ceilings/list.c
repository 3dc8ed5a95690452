/* list.c: ceilings kept, and looked up at sizes and thread counts between those measured. */
#include <math.h>
#include <string.h>

#include "harness/ceilings/ceilings.h"

void ceiling_list_add(struct ceiling_list *list, const struct ceiling_record *r) {
    LIST_GROW(list->items, list->n, list->capacity);
    struct ceiling_record *to = &list->items[list->n++];
    *to = *r;
    to->kind = arena_copy_string(&list->arena, r->kind);
    to->unit = arena_copy_string(&list->arena, r->unit ? r->unit : "");
    to->pattern = arena_copy_string(&list->arena, r->pattern ? r->pattern : "");
}

void ceiling_list_free(struct ceiling_list *list) {
    mem_free(list->items);
    arena_free(&list->arena);
    *list = (struct ceiling_list){0};
}

static int is_of(const struct ceiling_record *r, const char *kind, const char *unit) {
    return strcmp(r->kind, kind) == 0 && strcmp(r->unit, unit) == 0 && r->value > 0;
}

/* The nearest measured thread counts below and above; 0 where there is none. */
static void bracket_threads(const struct ceiling_list *list, const char *kind, const char *unit, int threads,
                            int *below, int *above) {
    *below = *above = 0;
    for (int i = 0; i < list->n; i++) {
        const struct ceiling_record *r = &list->items[i];
        if (!is_of(r, kind, unit)) continue;
        if (r->threads <= threads && r->threads > *below) *below = r->threads;
        if (r->threads >= threads && (*above == 0 || r->threads < *above)) *above = r->threads;
    }
}

/* At exactly this number of threads: linear in log2 of the size between its neighbours. */
static double value_at(const struct ceiling_list *list, const char *kind, const char *unit, int threads, double size) {
    const struct ceiling_record *below = NULL, *above = NULL;
    for (int i = 0; i < list->n; i++) {
        const struct ceiling_record *r = &list->items[i];
        if (!is_of(r, kind, unit) || r->threads != threads) continue;
        if (r->working_set_bytes <= size && (!below || r->working_set_bytes > below->working_set_bytes)) below = r;
        if (r->working_set_bytes >= size && (!above || r->working_set_bytes < above->working_set_bytes)) above = r;
    }
    if (!below || !above) return below ? below->value : above ? above->value : 0;
    if (below == above) return below->value;
    double share = log2(size / below->working_set_bytes) / log2(above->working_set_bytes / below->working_set_bytes);
    return below->value + share * (above->value - below->value);
}

static double look_up(const struct ceiling_list *list, const char *kind, const char *unit, int threads, double size) {
    int below, above;
    if (!list) return 0;
    bracket_threads(list, kind, unit, threads, &below, &above);
    if (!below && !above) return 0;
    if (!above) return value_at(list, kind, unit, below, size);
    if (!below || below == above) return value_at(list, kind, unit, above, size);
    double low = value_at(list, kind, unit, below, size), high = value_at(list, kind, unit, above, size);
    return low + (high - low) * (threads - below) / (above - below);
}

double ceiling_read_at(const struct ceiling_list *list, const char *unit, int threads, double working_set_bytes) {
    return look_up(list, "read", unit, threads, working_set_bytes);
}

double ceiling_copy_at(const struct ceiling_list *list, const char *unit, int threads, double working_set_bytes) {
    return look_up(list, "copy", unit, threads, working_set_bytes);
}

/* Which units multiply numbers of a type without losing any of them: a narrower type widens exactly. */
static const char *const ways[][4] = {
    {"bf16", "bf16", "amx-bf16", "f32"},
    {"f16", "f16", "f32", NULL},
    {"int8", "int8", "amx-int8", NULL},
};

double ceiling_matrix(const struct ceiling_list *list, const char *unit, int threads) {
    double best = 0;
    if (!list || !unit) return 0;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        if (strcmp(unit, ways[i][0]) != 0) continue;
        for (int k = 1; k < 4 && ways[i][k]; k++) best = fmax(best, look_up(list, "matrix", ways[i][k], threads, 0));
        return best;
    }
    return look_up(list, "matrix", unit, threads, 0);
}
