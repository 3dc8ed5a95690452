/* One page that needs nothing else, says what the store says, and lets nothing of it become markup. */
#include "check_main.h"
#include "plots/fixture.c"

#include <stdlib.h>
#include <unistd.h>

#include "harness/report/page.h"
#include "harness/report/report.h"
#include "kernels/base/file.h"

static char folder[] = "/tmp/assay-test-XXXXXX";
static const char plots[] = ASSAY_SOURCE_DIR "/plots";

static char *read_whole(const char *path) {
    char *text;
    size_t length;
    struct error e = {0};
    ck_assert_msg(file_read(path, 1 << 26, &text, &length, &e) == STATUS_OK, "%s", e.text);
    return text;
}

static char *report_of(struct fixture_options o) {
    struct error e = {0};
    char *store = mem_printf("%s/store.db", folder), *output = mem_printf("%s/report.html", folder);
    ck_assert_msg(fixture_write(store, &o, &e) == STATUS_OK, "%s", e.text);
    struct report_request r = {.store = store, .output = output, .data_folder = plots};
    ck_assert_msg(report_write(&r, &e) == STATUS_OK, "%s", e.text);
    char *html = read_whole(output);
    mem_free(store);
    mem_free(output);
    return html;
}

static int count(const char *text, const char *what) {
    int n = 0;
    for (const char *at = strstr(text, what); at; at = strstr(at + 1, what)) n++;
    return n;
}

START_TEST(holds_everything) {
    char *html = report_of((struct fixture_options){.n_factors = 2});
    static const char *const sections[] = {"pays", "measured", "cells", "effects", "time", "latency", "quality",
        "machine", "runs"};
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
        char mark[64];
        snprintf(mark, sizeof mark, "<section id=\"%s\">", sections[i]);
        ck_assert_msg(count(html, mark) == 1, "%s", mark);
    }
    if (system("command -v gnuplot >/dev/null 2>&1") == 0) ck_assert_int_eq(count(html, "<svg"), 9);
    ck_assert_int_ge(count(html, "as Markdown"), 15);
    ck_assert_ptr_nonnull(strstr(html, "Best of 4 cells, of which 4 have a receipt and a value: attention+fusion"));
    ck_assert_ptr_nonnull(strstr(html, "residual"));
    ck_assert_ptr_nonnull(strstr(html, "idle:imbalance"));
    ck_assert_ptr_nonnull(strstr(html, "Example CPU 9000"));
    ck_assert_ptr_nonnull(strstr(html, "the machine was busy with something else"));
    ck_assert_int_eq(count(html, "class=\"banner\""), 0);
    mem_free(html);
}
END_TEST

/* Nothing is fetched: no address but the names of XML. */
START_TEST(needs_no_network) {
    char *html = report_of((struct fixture_options){.n_factors = 2});
    ck_assert_int_eq(count(html, "http"), count(html, "=\"http://www.w3.org/"));
    ck_assert_int_eq(count(html, " src="), 0);
    ck_assert_int_eq(count(html, "@import"), 0);
    ck_assert_int_eq(count(html, "<link"), 0);
    mem_free(html);
}
END_TEST

START_TEST(lets_no_markup_through) {
    char *html = report_of((struct fixture_options){.n_factors = 2, .is_hostile = 1});
    ck_assert_int_eq(count(html, "<script"), 0);
    ck_assert_ptr_nonnull(strstr(html, "&lt;script&gt;"));
    ck_assert_ptr_nonnull(strstr(html, "plain &lt;b&gt;&amp;`touch x`&#39;&quot;"));
    ck_assert_int_eq(count(html, "plain <b>"), 0);
    mem_free(html);
}
END_TEST

START_TEST(says_synthetic_everywhere) {
    char *html = report_of((struct fixture_options){.n_factors = 1, .is_synthetic = 1});
    ck_assert_int_eq(count(html, "class=\"banner\""), count(html, "<section"));
    mem_free(html);
}
END_TEST

START_TEST(shows_what_went_wrong) {
    char *html = report_of((struct fixture_options){.n_factors = 4, .has_gap = 1});
    ck_assert_ptr_nonnull(strstr(html, "fusion is skipped: needs 40 GB of memory, 16 GB are there."));
    ck_assert_ptr_nonnull(strstr(html, "graph is NO-OP in 8 cells"));
    mem_free(html);
    html = report_of((struct fixture_options){.n_factors = 3, .is_past = 1});
    ck_assert_ptr_nonnull(strstr(html, "quantize: fidelity lossy is past its bound, so that it has no speed-up"));
    ck_assert_ptr_nonnull(strstr(html, "lossy (error 0.03100, past its bound 0.02000)"));
    ck_assert_ptr_nonnull(strstr(html, "Best of 8 cells, of which 4 have a receipt and a value: attention+fusion"));
    ck_assert_ptr_nonnull(strstr(html, "nll 3.479 nats/token (+0.028)"));
    ck_assert_ptr_nonnull(strstr(html, "attention+quantize (past its bound)")); /* in the figures */
    mem_free(html);
    html = report_of((struct fixture_options){.n_factors = 1, .is_bare = 1});
    ck_assert_ptr_null(strstr(html, "Ledger"));
    mem_free(html);
}
END_TEST

/* Ids of the figures, and of the page, are each there once. */
START_TEST(ids_are_unique) {
    char *html = report_of((struct fixture_options){.n_factors = 2});
    for (const char *at = strstr(html, " id="); at; at = strstr(at + 1, " id=")) {
        char mark[128];
        const char *end = strchr(at + 5, at[4]);
        ck_assert_ptr_nonnull(end);
        snprintf(mark, sizeof mark, "%.*s", (int)(end + 1 - at), at);
        ck_assert_msg(count(html, mark) == 1, "%s", mark);
    }
    mem_free(html);
}
END_TEST

START_TEST(is_written_without_gnuplot) {
    char *path = mem_copy_string(getenv("PATH"));
    setenv("PATH", "/nowhere", 1);
    char *html = report_of((struct fixture_options){.n_factors = 1});
    setenv("PATH", path, 1);
    ck_assert_int_eq(count(html, "<svg"), 0);
    ck_assert_int_eq(count(html, "gnuplot-nox"), 1);
    ck_assert_ptr_nonnull(strstr(html, "<section id=\"runs\">"));
    mem_free(html);
    mem_free(path);
}
END_TEST

START_TEST(a_failure_leaves_no_page) {
    struct error e = {0};
    char *store = mem_printf("%s/store.db", folder);
    struct fixture_options o = {.n_factors = 1};
    ck_assert_msg(fixture_write(store, &o, &e) == STATUS_OK, "%s", e.text);
    struct report_request r = {.store = store, .output = "/nowhere/report.html", .data_folder = plots};
    ck_assert_int_eq(report_write(&r, &e), STATUS_IO);
    ck_assert_ptr_nonnull(strstr(e.text, "/nowhere/report.html"));
    r = (struct report_request){.store = "/nowhere/store.db", .output = "report.html", .data_folder = plots};
    e = (struct error){0};
    ck_assert_int_eq(report_write(&r, &e), STATUS_STORE);
    ck_assert_int_eq(file_exists("report.html"), 0);
    mem_free(store);
}
END_TEST

START_TEST(tables_paste_as_markdown) {
    struct page p = {0};
    struct page_table t;
    const char *names[] = {"cell", "#time"};
    page_table_begin(&t, names, 2);
    page_table_cell(&t, "a|b <i>");
    page_table_cell(&t, NULL);
    page_table_end(&p, &t, NULL);
    ck_assert_ptr_nonnull(strstr(p.out.data, "| cell | time |\n| --- | ---: |\n| a\\|b \\&lt;i&gt; | – |\n"));
    ck_assert_ptr_nonnull(strstr(p.out.data, "<td>a|b &lt;i&gt;</td><td class=\"n\">–</td>"));
    text_free(&p.out);
}
END_TEST

START_TEST(set_up) { ck_assert_ptr_nonnull(mkdtemp(folder)); }
END_TEST

START_TEST(clean_up) {
    char *command = mem_printf("rm -r '%s'", folder);
    ck_assert_int_eq(system(command), 0);
    mem_free(command);
}
END_TEST

TEST_MAIN("plots.report", set_up, tables_paste_as_markdown, holds_everything, needs_no_network, lets_no_markup_through,
          says_synthetic_everywhere, shows_what_went_wrong, ids_are_unique, is_written_without_gnuplot,
          a_failure_leaves_no_page, clean_up)
