/* draw.c: a figure in a scratch folder, moved to where it was asked for once it is whole. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/plot/gnuplot.h"
#include "harness/plot/query.h"
#include "harness/plot/session.h"
#include "kernels/base/file.h"

enum { CAPTION_CHARS = 112 };

static void scratch_remove(const char *path) {
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder && (entry = readdir(folder)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        char *name = mem_printf("%s/%s", path, entry->d_name);
        unlink(name);
        mem_free(name);
    }
    if (folder) closedir(folder);
    rmdir(path);
}

static enum status scratch_make(char **out, struct error *e) {
    const char *base = getenv("TMPDIR");
    *out = mem_printf("%s/assay-plot-XXXXXX", base && *base ? base : "/tmp");
    if (mkdtemp(*out)) return STATUS_OK;
    enum status status = error_set(e, STATUS_IO, "cannot make a scratch folder '%s': %s", *out, strerror(errno));
    mem_free(*out);
    return status;
}

/* Copies, since a scratch folder and the output often lie on different file systems; beside the output first, so that
 * a full disk leaves an older figure as it was. */
static enum status copy_file(const char *from, const char *to, struct error *e) {
    struct file_map f;
    enum status status = file_map(from, &f, e);
    if (status != STATUS_OK) return status;
    char *part = mem_printf("%s.part", to);
    FILE *out = fopen(part, "wb");
    int is_bad = !out || fwrite(f.data, 1, f.size, out) != f.size;
    if (out && fclose(out) != 0) is_bad = 1;
    if (!is_bad && rename(part, to) != 0) is_bad = 1;
    if (is_bad) {
        status = error_set(e, STATUS_IO, "cannot write '%s': %s", to, strerror(errno));
        unlink(part);
    }
    file_unmap(&f);
    mem_free(part);
    return status;
}

static const char *format_of(const struct plot_request *r, struct error *e) {
    static const char *const known[] = {"svg", "png", "pdf"};
    const char *dot = strrchr(r->output, '.');
    const char *asked = r->format ? r->format : dot ? dot + 1 : "svg";
    for (int i = 0; i < 3; i++)
        if (strcmp(asked, known[i]) == 0) return known[i];
    error_set(e, STATUS_INPUT, "a figure cannot be written as '%s'; choose svg, png or pdf%s", asked,
              r->format ? "" : " by the output's ending, or say --format");
    return NULL;
}

/* The caption: what ran, then the ids of the runs, broken into lines. */
static enum status write_caption(sqlite3 *db, struct text *prelude, struct error *e) {
    struct text rows = {0};
    struct text line = {0};
    int n = 0;
    sqlite3_stmt *s;
    if (sqlite3_prepare_v2(db, "select word from caption order by position", -1, &s, NULL) != SQLITE_OK)
        return error_set(e, STATUS_STORE, "%s", sqlite3_errmsg(db));
    while (sqlite3_step(s) == SQLITE_ROW) {
        const char *word = (const char *)sqlite3_column_text(s, 0);
        if (line.length && line.length + strlen(word) > CAPTION_CHARS) {
            text_append(&rows, n++ ? ", " : "");
            query_quote(&rows, line.data);
            text_free(&line);
        }
        text_append(&line, line.length ? " %s" : "%s", word);
    }
    sqlite3_finalize(s);
    text_append(&rows, n++ ? ", " : "");
    query_quote(&rows, line.data ? line.data : "");
    text_append(prelude, "caption_rows = %d\narray caption_text[%d] = [%s]\n", n, n, rows.data);
    text_free(&line);
    text_free(&rows);
    return STATUS_OK;
}

static enum status write_script(const char *path, const struct text *prelude, struct error *e) {
    FILE *f = fopen(path, "w");
    int is_bad = !f || fwrite(prelude->data, 1, prelude->length, f) != prelude->length;
    if (f && fclose(f) != 0) is_bad = 1;
    return is_bad ? error_set(e, STATUS_IO, "cannot write '%s': %s", path, strerror(errno)) : STATUS_OK;
}

static void append_setting(struct text *prelude, const char *name, const char *value) {
    text_append(prelude, "%s = ", name);
    query_quote(prelude, value);
    text_append(prelude, "\n");
}

static enum status draw_in(const struct plot_session *s, const struct plot_request *r, const char *format,
                           const char *scratch, struct error *e) {
    struct text prelude = {0};
    char *sql = mem_printf("%s/%s.sql", s->folder, r->figure);
    char *gp = mem_printf("%s/%s.gp", s->folder, r->figure);
    char *begin = mem_printf("%s/common/begin.gp", s->folder);
    char *script = mem_printf("%s/%s.gp", scratch, r->figure);
    char *output = mem_printf("%s/%s.%s", scratch, r->figure, format);
    append_setting(&prelude, "format", format);
    append_setting(&prelude, "output", output);
    append_setting(&prelude, "plots", s->folder);
    append_setting(&prelude, "begin", begin);
    text_append(&prelude, "is_inline = %d\n", s->is_inline);
    enum status status = write_caption(s->db, &prelude, e);
    if (status == STATUS_OK) status = query_write(s->db, sql, scratch, &prelude, e);
    text_append(&prelude, "load ");
    query_quote(&prelude, gp);
    text_append(&prelude, "\n");
    if (status == STATUS_OK) status = write_script(script, &prelude, e);
    if (status == STATUS_OK) status = gnuplot_run(script, e);
    if (status == STATUS_OK) status = copy_file(output, r->output, e);
    text_free(&prelude);
    mem_free(sql);
    mem_free(gp);
    mem_free(begin);
    mem_free(script);
    mem_free(output);
    return status;
}

/* A name, not a path: it becomes part of one. */
static enum status check_figure(const struct plot_session *s, const char *figure, struct error *e) {
    struct figure_list list;
    enum status status = plot_list(s->folder, &list, e);
    if (status != STATUS_OK) return status;
    struct text names = {0};
    int is_found = 0;
    for (int i = 0; i < list.count; i++) {
        is_found |= strcmp(list.items[i].name, figure) == 0;
        text_append(&names, "%s%s", i ? ", " : "", list.items[i].name);
    }
    if (!is_found)
        status = error_set(e, STATUS_INPUT, "no figure is called '%s'; there are %s", figure, names.data);
    text_free(&names);
    plot_list_free(&list);
    return status;
}

enum status plot_session_draw(const struct plot_session *s, const struct plot_request *r, struct error *e) {
    const char *format = format_of(r, e);
    if (!format) return e->status;
    enum status status = check_figure(s, r->figure, e);
    if (status != STATUS_OK) return status;
    char *scratch = NULL;
    if (!r->keep_folder) status = scratch_make(&scratch, e);
    if (status == STATUS_OK) status = draw_in(s, r, format, scratch ? scratch : r->keep_folder, e);
    if (status != STATUS_OK) error_prefix(e, "figure %s", r->figure);
    if (scratch) scratch_remove(scratch);
    mem_free(scratch);
    return status;
}
