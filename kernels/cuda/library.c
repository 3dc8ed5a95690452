#include "kernels/cuda/library.h"

#include <dlfcn.h>
#include <glob.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/memory.h"

enum { MOST_FOLDERS = 32, PATH_BYTES = 512 };

/* ---- folders ---- */

struct folders {
    char paths[MOST_FOLDERS][PATH_BYTES];
    int n, is_known;
};
static struct folders folders;

static void add_folder(const char *path) {
    if (folders.n < MOST_FOLDERS) snprintf(folders.paths[folders.n++], PATH_BYTES, "%s", path);
}

static void add_matches(const char *pattern) {
    glob_t found;
    if (glob(pattern, 0, NULL, &found) == 0)
        for (size_t i = found.gl_pathc; i > 0; i--) add_folder(found.gl_pathv[i - 1]); /* the highest version first */
    globfree(&found);
}

static void find_folders(void) {
    char pattern[PATH_BYTES];
    const char *own = getenv("ASSAY_CUDA_LIBRARIES"), *toolkit = getenv("CUDA_PATH"), *environment = getenv("VIRTUAL_ENV");
    folders.is_known = 1;
    if (own && *own) add_folder(own);
    add_folder("");
    if (toolkit && *toolkit) {
        snprintf(pattern, sizeof pattern, "%.400s/lib64", toolkit);
        add_matches(pattern);
    }
    add_matches("/usr/local/cuda*/lib64");
    add_matches("/usr/local/cuda*/extras/CUPTI/lib64");
    if (environment && *environment) {
        snprintf(pattern, sizeof pattern, "%.400s/lib/python3*/site-packages/nvidia/*/lib", environment);
        add_matches(pattern);
    }
}

const char *library_folder(int i) {
    if (!folders.is_known) find_folders();
    return i >= 0 && i < folders.n ? folders.paths[i] : NULL;
}

/* ---- loading ---- */

struct library {
    const char *const *names;      /* sonames, newest first; ends with NULL */
    const char *const *symbols;    /* that are used of it; ends with NULL */
    const char *origin;            /* what brings it */
    void *handle;
    char path[PATH_BYTES];
};

static int open_in(struct library *l, const char *folder) {
    for (int i = 0; l->names[i]; i++) {
        if (*folder) snprintf(l->path, sizeof l->path, "%.400s/%s", folder, l->names[i]);
        else snprintf(l->path, sizeof l->path, "%s", l->names[i]);
        l->handle = dlopen(l->path, RTLD_NOW | RTLD_LOCAL);
        if (l->handle) return 1;
    }
    return 0;
}

/* What the program around us has loaded already: two copies in one process would be in each other's way. */
static int is_loaded(struct library *l) {
    for (int i = 0; l->names[i] && !l->handle; i++) {
        snprintf(l->path, sizeof l->path, "%s", l->names[i]);
        l->handle = dlopen(l->path, RTLD_NOW | RTLD_NOLOAD);
    }
    return l->handle != NULL;
}

/* Where the loader found it. */
static enum status note_path(struct library *l) {
    struct link_map *map;
    if (dlinfo(l->handle, RTLD_DI_LINKMAP, &map) == 0 && map->l_name[0]) snprintf(l->path, sizeof l->path, "%.500s", map->l_name);
    return STATUS_OK;
}

static enum status library_open(struct library *l, struct error *e) {
    if (is_loaded(l)) return note_path(l);
    for (int i = 0; library_folder(i); i++)
        if (open_in(l, library_folder(i))) return note_path(l);
    return error_set(e, STATUS_UNSUPPORTED, "%s is not found: install %s, or name its folder in ASSAY_CUDA_LIBRARIES (assay doctor lists where it was looked for)", l->names[0], l->origin);
}

/* Fills a table of nothing but functions, in the order of the symbols. */
static enum status find_symbols(const struct library *l, void *table, struct error *e) {
    for (int i = 0; l->symbols[i]; i++) {
        void *found = dlsym(l->handle, l->symbols[i]);
        memcpy((char *)table + (size_t)i * sizeof found, &found, sizeof found);
        if (!found) return error_set(e, STATUS_UNSUPPORTED, "%s has no %s: its version is not one of CUDA 12 or 13", l->path, l->symbols[i]);
    }
    return STATUS_OK;
}

static const void *library_table(struct library *l, void *table, const char **path, struct error *e) {
    enum status s = l->handle ? STATUS_OK : library_open(l, e);
    if (s == STATUS_OK) s = find_symbols(l, table, e);
    *path = l->path;
    return s == STATUS_OK ? table : NULL;
}

/* ---- the libraries ---- */

static const char toolkit[] = "the CUDA toolkit";

const struct blaslt *library_blaslt(const char **path, struct error *e) {
    static const char *const names[] = {"libcublasLt.so.13", "libcublasLt.so.12", NULL}, *const symbols[] = {
#define X(type, name, arguments) "cublasLt" #name,
        BLASLT_LIST(X)
#undef X
        NULL};
    static struct library l = {.names = names, .symbols = symbols, .origin = toolkit};
    static struct blaslt table;
    return library_table(&l, &table, path, e);
}

const struct cupti *library_cupti(const char **path, struct error *e) {
    static const char *const names[] = {"libcupti.so.13", "libcupti.so.12", NULL}, *const symbols[] = {
#define X(name, arguments) "cupti" #name,
        CUPTI_LIST(X)
#undef X
        NULL};
    static struct library l = {.names = names, .symbols = symbols, .origin = toolkit};
    static struct cupti table;
    return library_table(&l, &table, path, e);
}

const struct nvml *library_nvml(const char **path, struct error *e) {
    static const char *const names[] = {"libnvidia-ml.so.1", NULL}, *const symbols[] = {
#define X(name, arguments) "nvml" #name,
        NVML_LIST(X)
#undef X
        NULL};
    static struct library l = {.names = names, .symbols = symbols, .origin = "the NVIDIA driver"};
    static struct nvml table;
    return library_table(&l, &table, path, e);
}
