#include "harness/import/import.h"

#include <string.h>

static const struct importer *const importers[] = {
#define X(name) &importer_##name,
    IMPORTER_LIST(X)
#undef X
};

const struct importer *importer_find(const char *name, const char **names) {
#define X(name) ", " #name
    static const char listed[] = IMPORTER_LIST(X);
#undef X
    *names = listed + 2;
    for (size_t i = 0; i < sizeof importers / sizeof *importers; i++)
        if (strcmp(importers[i]->name, name) == 0) return importers[i];
    return NULL;
}

void imported_free(struct imported *x) {
    activity_free(&x->activity);
    mem_free(x->machine);
    mem_free(x->environment);
    arena_free(&x->arena);
    *x = (struct imported){0};
}

/* A key that comes again has its last value. */
static void put_fact(struct imported *x, struct fact **list, size_t *n, size_t *capacity, struct fact f) {
    size_t at = 0;
    while (at < *n && strcmp((*list)[at].key, f.key) != 0) at++;
    if (at == *n) {
        LIST_GROW(*list, *n, *capacity);
        (*list)[(*n)++].key = arena_copy_string(&x->arena, f.key);
    }
    (*list)[at].value = arena_copy_string(&x->arena, f.value);
}

void imported_machine(struct imported *x, const char *key, const char *value) {
    put_fact(x, &x->machine, &x->n_machine, &x->machine_capacity, (struct fact){key, value});
}

void imported_environment(struct imported *x, const char *key, const char *value) {
    put_fact(x, &x->environment, &x->n_environment, &x->environment_capacity, (struct fact){key, value});
}
