/* piece.c: rows to tables and lists. */
#include <stdio.h>
#include <string.h>

#include "harness/report/piece.h"
#include "kernels/base/file.h"

enum { COLUMN_LIMIT = 24, WORDS_BYTES = 512 };

struct piece {
    sqlite3 *db;
    char *sql;
    char title[WORDS_BYTES], note[WORDS_BYTES], as[16], each[16], empty[WORDS_BYTES];
};

static void read_mark(const char *sql, const char *mark, char *out, size_t size) {
    const char *at = strstr(sql, mark);
    if (!at) return;
    at += strlen(mark);
    snprintf(out, size, "%.*s", (int)strcspn(at, "\r\n"), at);
}

static enum status read_piece(const char *path, struct piece *out, struct error *e) {
    size_t length;
    enum status status = file_read(path, 1 << 20, &out->sql, &length, e);
    if (status != STATUS_OK) return status;
    read_mark(out->sql, "-- title: ", out->title, sizeof out->title);
    read_mark(out->sql, "-- note: ", out->note, sizeof out->note);
    read_mark(out->sql, "-- as: ", out->as, sizeof out->as);
    read_mark(out->sql, "-- each: ", out->each, sizeof out->each);
    read_mark(out->sql, "-- empty: ", out->empty, sizeof out->empty);
    return STATUS_OK;
}

static void append_heading(struct page *p, const struct piece *piece) {
    if (*piece->title) {
        text_append(&p->out, "<h3>");
        page_escape(&p->out, piece->title);
        text_append(&p->out, "</h3>\n");
    }
}

static int write_list(struct page *p, sqlite3_stmt *s, int *n_rows) {
    int code;
    while ((code = sqlite3_step(s)) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(s, 0);
        if (!text) continue;
        text_append(&p->out, "%s<li>", (*n_rows)++ ? "" : "<ul>\n");
        page_escape(&p->out, text);
        text_append(&p->out, "</li>\n");
    }
    if (*n_rows) text_append(&p->out, "</ul>\n");
    return code;
}

static int write_table(struct page *p, sqlite3_stmt *s, int *n_rows) {
    const char *names[COLUMN_LIMIT];
    int n = sqlite3_column_count(s), code;
    if (n > COLUMN_LIMIT) n = COLUMN_LIMIT;
    for (int i = 0; i < n; i++) names[i] = sqlite3_column_name(s, i);
    struct page_table t;
    page_table_begin(&t, names, n);
    while ((code = sqlite3_step(s)) == SQLITE_ROW)
        for (int i = 0; i < n; i++) page_table_cell(&t, (const char *)sqlite3_column_text(s, i));
    *n_rows = t.n_rows;
    page_table_end(p, &t, NULL);
    return code;
}

/* Steps through one execution of the piece; a run > 0 is bound to :run. */
static enum status write_rows(struct page *p, const struct piece *piece, int run, int *n_rows, struct error *e) {
    sqlite3_stmt *s = NULL;
    int code = sqlite3_prepare_v2(piece->db, piece->sql, -1, &s, NULL);
    if (code == SQLITE_OK && s) {
        if (run > 0) sqlite3_bind_int(s, sqlite3_bind_parameter_index(s, ":run"), run);
        code = strcmp(piece->as, "list") == 0 ? write_list(p, s, n_rows) : write_table(p, s, n_rows);
    }
    enum status status = code == SQLITE_DONE ? STATUS_OK
        : error_set(e, STATUS_STORE, "%s", sqlite3_errmsg(piece->db));
    sqlite3_finalize(s);
    return status;
}

/* One folding part a run; the first and the last stand open. */
static enum status write_each(struct page *p, const struct piece *piece, int *n_rows, struct error *e) {
    sqlite3_stmt *runs;
    const char *sql = "select position, label || ' · ' || short_id, position in (1, max(position) over ()) "
                      "from selected order by position";
    if (sqlite3_prepare_v2(piece->db, sql, -1, &runs, NULL) != SQLITE_OK)
        return error_set(e, STATUS_STORE, "%s", sqlite3_errmsg(piece->db));
    enum status status = STATUS_OK;
    while (status == STATUS_OK && sqlite3_step(runs) == SQLITE_ROW) {
        struct page part = {0};
        int n = 0;
        status = write_rows(&part, piece, sqlite3_column_int(runs, 0), &n, e);
        if (n) {
            text_append(&p->out, "<details class=\"run\"%s><summary>", sqlite3_column_int(runs, 2) ? " open" : "");
            page_escape(&p->out, (const char *)sqlite3_column_text(runs, 1));
            text_append(&p->out, "</summary>\n");
            text_append_bytes(&p->out, part.out.data, part.out.length);
            text_append(&p->out, "</details>\n");
        }
        *n_rows += n;
        text_free(&part.out);
    }
    sqlite3_finalize(runs);
    return status;
}

static void cut(struct text *t, size_t length) {
    t->length = length;
    if (t->data) t->data[length] = '\0';
}

enum status piece_write(struct page *p, sqlite3 *db, const char *folder, const char *name, struct error *e) {
    struct piece piece = {.db = db};
    char *path = mem_printf("%s/report/%s.sql", folder, name);
    enum status status = read_piece(path, &piece, e);
    size_t start = p->out.length, head = start;
    int n_rows = 0;
    if (status == STATUS_OK) {
        append_heading(p, &piece);
        head = p->out.length;
        if (*piece.note) page_paragraph(p, "note", piece.note);
        status = *piece.each ? write_each(p, &piece, &n_rows, e) : write_rows(p, &piece, 0, &n_rows, e);
        if (status != STATUS_OK) error_prefix(e, "%s", path);
    }
    /* Without rows the note explains nothing, and without a word on why the heading alone says nothing. */
    if (status == STATUS_OK && n_rows == 0) {
        cut(&p->out, *piece.empty ? head : start);
        if (*piece.empty) page_paragraph(p, "none", piece.empty);
    }
    mem_free(piece.sql);
    mem_free(path);
    return status;
}
