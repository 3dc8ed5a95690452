/* report.c: sections in the order in which a reader asks: does it pay, what was measured, where does the time go. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/plot/session.h"
#include "harness/report/functions.h"
#include "harness/report/piece.h"
#include "harness/report/report.h"
#include "kernels/base/file.h"

/* A section's pieces, in order: "table NAME" is plots/report/NAME.sql, "figure NAME" is plots/NAME.sql and .gp. */
static const struct section {
    const char *id, *title, *pieces[8];
} sections[] = {
    {"pays", "What pays", {"table suite", "table summary", "table pays", "figure quality", "table warnings"}},
    {"measured", "What was measured, and how", {"table method", "table spec"}},
    {"cells", "Cells", {"table cells", "figure cumulative_ladder", "table rates"}},
    {"effects", "Effects and interactions",
        {"figure optimizer_effects", "table effects", "figure interaction_matrix", "table interactions", "figure crossing"}},
    {"time", "Where the time goes",
        {"figure stage_breakdown", "figure category_breakdown", "table ledger", "figure roofline", "table operations"}},
    {"latency", "Latency", {"table latency", "figure latency_distribution", "figure token_timeline"}},
    {"quality", "Receipts, fidelity, quality, memory",
        {"table receipts", "table fidelity", "table quality", "table memory", "table outputs"}},
    {"machine", "Machine and environment",
        {"table comparability", "table machine", "table environment", "table ceilings"}},
    {"runs", "Runs", {"table runs"}},
};
enum { N_SECTIONS = sizeof sections / sizeof *sections };

struct builder {
    struct page page;
    const struct plot_session *session;
    char *scratch;              /* an SVG at a time */
    int is_gnuplot_missing;
};

/* The figure, or a line that says why there is none: a report is not lost for a missing program. */
static enum status add_figure(struct builder *b, const char *name, const char *summary, struct error *e) {
    struct error why = {0};
    struct plot_request r = {.figure = name, .format = "svg", .output = b->scratch};
    struct page *p = &b->page;
    enum status status = b->is_gnuplot_missing ? STATUS_UNSUPPORTED : plot_session_draw(b->session, &r, &why);
    if (status == STATUS_INPUT) return STATUS_OK; /* nothing to draw in these runs */
    if (status == STATUS_UNSUPPORTED) {
        if (!b->is_gnuplot_missing) page_paragraph(p, "none", why.text);
        b->is_gnuplot_missing = 1;
        return STATUS_OK;
    }
    if (status != STATUS_OK) return error_set(e, status, "%s", why.text);
    char *svg;
    size_t length;
    status = file_read(b->scratch, (size_t)1 << 26, &svg, &length, e);
    if (status != STATUS_OK) return status;
    text_append(&p->out, "<figure>\n<div class=\"wide paper\">");
    page_figure(p, svg, name);
    text_append(&p->out, "</div>\n<figcaption><b>");
    page_escape(&p->out, name);
    text_append(&p->out, "</b>: ");
    page_escape(&p->out, summary);
    text_append(&p->out, "</figcaption>\n</figure>\n");
    mem_free(svg);
    return STATUS_OK;
}

static const char *summary_of(const struct figure_list *l, const char *name) {
    for (int i = 0; i < l->count; i++)
        if (strcmp(l->items[i].name, name) == 0) return l->items[i].summary;
    return "";
}

static enum status add_section(struct builder *b, const struct section *s, const struct figure_list *l,
    struct error *e) {
    enum { MAX_PIECES = sizeof s->pieces / sizeof *s->pieces };
    page_section_begin(&b->page, s->id, s->title);
    enum status status = STATUS_OK;
    for (int i = 0; status == STATUS_OK && i < MAX_PIECES && s->pieces[i]; i++) {
        const char *name = strchr(s->pieces[i], ' ') + 1;
        status = s->pieces[i][0] == 'f' ? add_figure(b, name, summary_of(l, name), e)
                                        : piece_write(&b->page, b->session->db, b->session->folder, name, e);
    }
    page_section_end(&b->page);
    return status;
}

/* One text of the store; owned, NULL for no row or NULL. */
static char *query_text(sqlite3 *db, const char *sql) {
    sqlite3_stmt *s;
    char *out = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK) return NULL;
    if (sqlite3_step(s) == SQLITE_ROW && sqlite3_column_text(s, 0))
        out = mem_copy_string((const char *)sqlite3_column_text(s, 0));
    sqlite3_finalize(s);
    return out;
}

static const char title_sql[] =
    "select group_concat(word, '; ') from (select distinct workload || ' · ' || model || ' · ' || backend || ' "
    "· ' || dtype "
    "as word from v_run join selected using (run_id) limit 3)";

static const char subtitle_sql[] =
    "select count(*) || case count(*) when 1 then ' run' else ' runs' end || ', ' || as_date(min(created_unix_ns)) "
    "|| case when max(created_unix_ns) - min(created_unix_ns) > 6e10 then ' to ' || "
    "as_date(max(created_unix_ns)) else '' end "
    "|| ' · Assay " ASSAY_VERSION "' from v_run join selected using (run_id)";

static const char banner_sql[] =
    "select group_concat(word, ' ') from (select 'Synthetic weights: times are those of this shape, but outputs, "
    "quality and "
    "acceptance mean nothing.' as word where exists (select 1 from v_run join selected using (run_id) where "
    "is_synthetic) "
    "union all select 'Truncated: only ' || group_concat(distinct truncated_layers) || ' layers of the model "
    "were run.' "
    "from v_run join selected using (run_id) where truncated_layers > 0 having count(*))";

static enum status append_head(struct builder *b, struct error *e) {
    char *path = mem_printf("%s/report.css", b->session->folder);
    char *css, *title = query_text(b->session->db, title_sql), *subtitle = query_text(b->session->db, subtitle_sql);
    struct page *p = &b->page;
    size_t length;
    enum status status = file_read(path, 1 << 20, &css, &length, e);
    if (status == STATUS_OK) {
        text_append(&p->out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta "
            "name=\"viewport\" "
            "content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light "
            "dark\">\n<title>Assay: ");
        page_escape(&p->out, title ? title : "report");
        text_append(&p->out, "</title>\n<style>\n");
        text_append_bytes(&p->out, css, length);
        text_append(&p->out, "</style>\n</head>\n<body>\n<header>\n<h1>");
        page_escape(&p->out, title ? title : "report");
        text_append(&p->out, "</h1>\n");
        page_paragraph(p, "note", subtitle ? subtitle : "");
        text_append(&p->out, "<nav>");
        for (int i = 0; i < N_SECTIONS; i++)
            text_append(&p->out, "<a href=\"#%s\">%s</a> ", sections[i].id, sections[i].title);
        text_append(&p->out, "</nav>\n</header>\n<main>\n");
        mem_free(css);
    }
    mem_free(title);
    mem_free(subtitle);
    mem_free(path);
    return status;
}

static enum status build(struct builder *b, struct error *e) {
    char *banner = query_text(b->session->db, banner_sql);
    struct figure_list figures = {0};
    b->page.banner = banner;
    enum status status = plot_list(b->session->folder, &figures, e);
    if (status == STATUS_OK) status = append_head(b, e);
    for (int i = 0; status == STATUS_OK && i < N_SECTIONS; i++) status = add_section(b, &sections[i], &figures, e);
    text_append(&b->page.out, "</main>\n</body>\n</html>\n");
    plot_list_free(&figures);
    mem_free(banner);
    return status;
}

/* Beside the output first, so that a full disk or a stop leaves an older report as it was. */
static enum status write_page(const struct page *p, const char *output, struct error *e) {
    char *temporary = mem_printf("%s.part", output);
    FILE *f = fopen(temporary, "wb");
    int is_bad = !f || fwrite(p->out.data, 1, p->out.length, f) != p->out.length;
    if (f && fclose(f) != 0) is_bad = 1;
    if (!is_bad && rename(temporary, output) != 0) is_bad = 1;
    enum status status = is_bad ? error_set(e, STATUS_IO, "cannot write '%s': %s", output, strerror(errno)) : STATUS_OK;
    if (is_bad) unlink(temporary);
    mem_free(temporary);
    return status;
}

enum status report_write(const struct report_request *r, struct error *e) {
    struct plot_session session;
    enum status status = plot_session_open(r->store, r->runs, r->n_runs, r->data_folder, &session, e);
    if (status != STATUS_OK) return status;
    session.is_inline = 1;
    const char *base = getenv("TMPDIR");
    struct builder b = {.session = &session};
    b.scratch = mem_printf("%s/assay-report-XXXXXX", base && *base ? base : "/tmp");
    int fd = mkstemp(b.scratch);
    if (fd < 0) status = error_set(e, STATUS_IO, "cannot make a scratch file '%s': %s", b.scratch, strerror(errno));
    else close(fd);
    if (status == STATUS_OK) status = functions_register(session.db, e);
    if (status == STATUS_OK) status = build(&b, e);
    if (status == STATUS_OK) status = write_page(&b.page, r->output, e);
    if (fd >= 0) unlink(b.scratch);
    text_free(&b.page.out);
    mem_free(b.scratch);
    plot_session_close(&session);
    return status;
}
