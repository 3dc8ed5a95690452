/* query.c: rows of the store's views to gnuplot's data files. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "harness/plot/query.h"
#include "kernels/base/file.h"

enum { SQL_LIMIT_BYTES = 1 << 20, NAME_BYTES = 64, COLUMN_LIMIT = 16, ARRAY_LIMIT = 64 };

struct block {
    char name[NAME_BYTES];
    int64_t rows, label_chars;
    int label_column;           /* -1: none */
    int n_columns;
    struct text arrays[COLUMN_LIMIT]; /* "value, value, …" of the first ARRAY_LIMIT rows */
};

void query_quote(struct text *out, const char *s) {
    text_append(out, "'");
    for (; *s; s++) {
        if (*s == '\'') text_append(out, "''");
        else text_append(out, "%c", *s == '`' || (unsigned char)*s < ' ' ? ' ' : *s);
    }
    text_append(out, "'");
}

/* The word or line after `mark` in s[0..n); 0 where the mark is not there. */
static int find_mark(const char *s, size_t n, const char *mark, char *out, size_t size) {
    const char *at = memmem(s, n, mark, strlen(mark));
    if (!at) return 0;
    at += strlen(mark);
    size_t length = 0;
    while (at + length < s + n && at[length] != '\n' && length < size - 1) length++;
    while (length && isspace((unsigned char)at[length - 1])) length--;
    memcpy(out, at, length);
    out[length] = '\0';
    return 1;
}

static int64_t count_chars(const char *s) {
    int64_t n = 0;
    for (; *s; s++) n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

/* Text in quotes: gnuplot would end a field at a quote, and take a backslash for an escape. */
static void write_text(FILE *f, const char *s) {
    fputc('"', f);
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        fputc(c < ' ' ? ' ' : c == '"' ? '\'' : c == '\\' ? '/' : *s, f);
    }
    fputc('"', f);
}

/* Once to the file and, of a short block, once to the array that the drawing indexes. */
static void write_value(FILE *f, sqlite3_stmt *s, int column, struct block *b) {
    struct text *array = b->rows < ARRAY_LIMIT ? &b->arrays[column] : NULL;
    if (column) fputc('\t', f);
    if (array && b->rows) text_append(array, ", ");
    int type = sqlite3_column_type(s, column);
    double value = sqlite3_column_double(s, column);
    if (type == SQLITE_TEXT) {
        const char *text = (const char *)sqlite3_column_text(s, column);
        if (column == b->label_column && count_chars(text) > b->label_chars) b->label_chars = count_chars(text);
        write_text(f, text);
        if (array) query_quote(array, text);
    } else if ((type == SQLITE_INTEGER || type == SQLITE_FLOAT) && isfinite(value)) {
        fprintf(f, "%.10g", value);
        /* A real stays one: gnuplot divides whole numbers as whole numbers. */
        int is_whole = type == SQLITE_FLOAT && value == floor(value) && fabs(value) < 1e9;
        if (array) text_append(array, is_whole ? "%.1f" : "%.10g", value);
    } else {
        fputc('?', f);
        if (array) text_append(array, "NaN");
    }
}

static enum status write_rows(sqlite3 *db, sqlite3_stmt *s, FILE *f, struct block *b, struct error *e) {
    int n = sqlite3_column_count(s), code;
    if (n > COLUMN_LIMIT)
        return error_set(e, STATUS_STORE, "block '%s' has %d columns; at most %d", b->name, n, COLUMN_LIMIT);
    b->n_columns = n;
    fputs("# ", f);
    for (int i = 0; i < n; i++) {
        const char *name = sqlite3_column_name(s, i);
        if (strcmp(name, "label") == 0) b->label_column = i;
        fprintf(f, "%s%s", i ? "\t" : "", name);
    }
    fputc('\n', f);
    while ((code = sqlite3_step(s)) == SQLITE_ROW) {
        for (int i = 0; i < n; i++) write_value(f, s, i, b);
        fputc('\n', f);
        b->rows++;
    }
    if (code == SQLITE_DONE) return STATUS_OK;
    return error_set(e, STATUS_STORE, "block '%s': %s", b->name, sqlite3_errmsg(db));
}

/* The block's facts as gnuplot variables, and arrays BLOCK_COLUMN of a short block. */
static void write_prelude(struct block *b, sqlite3_stmt *s, const char *path, struct text *prelude) {
    text_append(prelude, "%s = ", b->name);
    query_quote(prelude, path);
    text_append(prelude, "\n%s_rows = %lld\n", b->name, (long long)b->rows);
    if (b->label_column >= 0) text_append(prelude, "%s_chars = %lld\n", b->name, (long long)b->label_chars);
    for (int i = 0; i < b->n_columns; i++) {
        if (b->rows && b->rows <= ARRAY_LIMIT)
            text_append(prelude, "array %s_%s[%lld] = [%s]\n", b->name, sqlite3_column_name(s, i),
                        (long long)b->rows, b->arrays[i].data);
        text_free(&b->arrays[i]);
    }
}

static enum status write_block(sqlite3 *db, sqlite3_stmt *s, const char *folder, struct block *b,
                               struct text *prelude, struct error *e) {
    char *path = mem_printf("%s/%s.dat", folder, b->name);
    FILE *f = fopen(path, "w");
    enum status status = f ? write_rows(db, s, f, b, e) : STATUS_IO;
    int is_bad = f ? (ferror(f) | fclose(f)) : 1;
    if (is_bad && status != STATUS_STORE)
        status = error_set(e, STATUS_IO, "cannot write '%s': %s", path, strerror(errno));
    write_prelude(b, s, path, prelude);
    mem_free(path);
    return status;
}

/* Runs a statement for its effect: views and tables of the temporary schema. */
static enum status run_silently(sqlite3 *db, sqlite3_stmt *s, struct error *e) {
    int code;
    while ((code = sqlite3_step(s)) == SQLITE_ROW) continue;
    return code == SQLITE_DONE ? STATUS_OK : error_set(e, STATUS_STORE, "%s", sqlite3_errmsg(db));
}

static enum status run_statements(sqlite3 *db, const char *sql, const char *folder, struct text *prelude,
                                  struct error *e) {
    int n_blocks = 0;
    enum status status = STATUS_OK;
    for (const char *tail; status == STATUS_OK && *sql; sql = tail) {
        sqlite3_stmt *s = NULL;
        if (sqlite3_prepare_v2(db, sql, -1, &s, &tail) != SQLITE_OK)
            return error_set(e, STATUS_STORE, "%s", sqlite3_errmsg(db));
        struct block b = {.label_column = -1};
        if (!s) continue; /* comments after the last statement */
        if (find_mark(sql, (size_t)(tail - sql), "-- block: ", b.name, sizeof b.name)) {
            status = write_block(db, s, folder, &b, prelude, e);
            if (status == STATUS_OK && n_blocks++ == 0 && b.rows == 0) status = STATUS_INPUT;
        } else {
            status = run_silently(db, s, e);
        }
        sqlite3_finalize(s);
    }
    return status;
}

/* The file's text, then that of the file which its line "-- include: NAME", if any, names beside it. */
static enum status read_sql(const char *path, struct text *out, struct error *e) {
    char *sql, include[NAME_BYTES];
    size_t length;
    enum status status = file_read(path, SQL_LIMIT_BYTES, &sql, &length, e);
    if (status != STATUS_OK) return status;
    text_append_bytes(out, sql, length);
    if (find_mark(sql, length, "-- include: ", include, sizeof include)) {
        const char *slash = strrchr(path, '/');
        char *other = mem_printf("%.*s/%s", slash ? (int)(slash - path) : 1, slash ? path : ".", include);
        char *more;
        status = file_read(other, SQL_LIMIT_BYTES, &more, &length, e);
        if (status == STATUS_OK) {
            text_append_bytes(out, more, length);
            mem_free(more);
        }
        mem_free(other);
    }
    mem_free(sql);
    return status;
}

enum status query_write(sqlite3 *db, const char *path, const char *folder, struct text *prelude, struct error *e) {
    struct text sql = {0};
    enum status status = read_sql(path, &sql, e);
    if (status != STATUS_OK) {
        text_free(&sql);
        return status;
    }
    /* A savepoint covers the temporary schema too: what one figure creates does not meet the next one. */
    sqlite3_exec(db, "SAVEPOINT figure", NULL, NULL, NULL);
    struct error inner = {0};
    status = run_statements(db, sql.data, folder, prelude, &inner);
    sqlite3_exec(db, "ROLLBACK TO figure; RELEASE figure", NULL, NULL, NULL);
    char reason[256] = "no row for these runs";
    if (status == STATUS_INPUT) {
        find_mark(sql.data, sql.length, "-- empty: ", reason, sizeof reason);
        error_set(e, STATUS_INPUT, "nothing to draw: %s", reason);
    } else if (status != STATUS_OK) {
        error_set(e, status, "%s: %s", path, inner.text);
    }
    text_free(&sql);
    return status;
}
