#include "kernels/backend.h"

static const struct backend *const backends[] = {
#define X(name) &backend_##name,
    BACKEND_LIST(X)
#undef X
};

const struct backend *backend_at(int i) { return i >= 0 && (size_t)i < sizeof backends / sizeof *backends ? backends[i] : NULL; }

const struct backend *backend_find(const char *name) {
    for (int i = 0; backend_at(i); i++)
        if (strcmp(backend_at(i)->name, name) == 0) return backend_at(i);
    return NULL;
}
