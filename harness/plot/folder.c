/* folder.c: where the figures are, and which there are. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "harness/plot/plot.h"
#include "kernels/base/file.h"

enum status plot_data_folder(char **out, struct error *e) {
    const char *asked = getenv("ASSAY_DATA");
    if (asked && *asked) {
        *out = mem_printf("%s/plots", asked);
        if (directory_exists(*out)) return STATUS_OK;
        enum status status = error_set(e, STATUS_IO, "ASSAY_DATA is '%s', which holds no folder 'plots'", asked);
        mem_free(*out);
        return status;
    }
    char *here = file_own_folder();
    *out = mem_printf("%s/../%s/plots", here ? here : ".", ASSAY_DATA_DIR);
    mem_free(here);
    if (directory_exists(*out)) return STATUS_OK;
    if (directory_exists(ASSAY_SOURCE_DIR "/plots")) {
        mem_free(*out);
        *out = mem_copy_string(ASSAY_SOURCE_DIR "/plots");
        return STATUS_OK;
    }
    enum status status = error_set(e, STATUS_IO, "the figures folder is missing: neither '%s' nor '%s' exists; "
        "set ASSAY_DATA to the folder that holds 'plots'", *out, ASSAY_SOURCE_DIR "/plots");
    mem_free(*out);
    return status;
}

static int figure_compare(const void *a, const void *b) {
    return strcmp(((const struct figure *)a)->name, ((const struct figure *)b)->name);
}

/* The first line of an .sql file without its comment dashes. */
static const char *read_summary(struct figure_list *l, const char *path) {
    char *text;
    size_t length;
    struct error ignored = {0};
    if (file_read(path, 1 << 20, &text, &length, &ignored) != STATUS_OK) return "(unreadable)";
    char *line = text + strspn(text, "- \t");
    line[strcspn(line, "\r\n")] = '\0';
    const char *out = arena_copy_string(&l->arena, line);
    mem_free(text);
    return out;
}

enum status plot_list(const char *data_folder, struct figure_list *out, struct error *e) {
    *out = (struct figure_list){0};
    char *found = NULL;
    if (!data_folder) {
        enum status status = plot_data_folder(&found, e);
        if (status != STATUS_OK) return status;
        data_folder = found;
    }
    DIR *folder = opendir(data_folder);
    size_t capacity = 0;
    for (struct dirent *entry; folder && (entry = readdir(folder)) != NULL;) {
        size_t n = strlen(entry->d_name);
        if (n <= 4 || strcmp(entry->d_name + n - 4, ".sql") != 0) continue;
        LIST_GROW(out->items, out->count, capacity);
        struct figure *f = &out->items[out->count++];
        f->name = arena_copy_bytes(&out->arena, entry->d_name, n - 4);
        f->summary = read_summary(out, arena_printf(&out->arena, "%s/%s", data_folder, entry->d_name));
    }
    enum status status = folder ? STATUS_OK
        : error_set(e, STATUS_IO, "cannot read the figures folder '%s'", data_folder);
    if (folder) closedir(folder);
    if (out->count) qsort(out->items, (size_t)out->count, sizeof *out->items, figure_compare);
    mem_free(found);
    return status;
}

void plot_list_free(struct figure_list *l) {
    mem_free(l->items);
    arena_free(&l->arena);
    *l = (struct figure_list){0};
}
