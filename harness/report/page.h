/* page.h: HTML and its Markdown twin, from untrusted text. */
#ifndef ASSAY_HARNESS_REPORT_PAGE_H
#define ASSAY_HARNESS_REPORT_PAGE_H

#include "kernels/base/memory.h"

struct page {
    struct text out;
    const char *banner;         /* repeated under every section's title; NULL: none */
    int n_figures;              /* so far: the prefix of a figure's ids */
};

void page_escape(struct text *out, const char *s);
void page_section_begin(struct page *p, const char *id, const char *title);
void page_section_end(struct page *p);
void page_paragraph(struct page *p, const char *class, const char *text);

/* A table, cell by cell. Columns whose name begins with '#' hold numbers and stand right. */
struct page_table {
    struct text html, markdown;
    const char **names;         /* borrowed, n of them, without the '#' */
    int *is_number;
    int n_columns, column, n_rows;
};
void page_table_begin(struct page_table *t, const char *const *names, int n);
void page_table_cell(struct page_table *t, const char *text); /* NULL: no value */
/* Appends it to the page, where it has rows, and frees it. `title` may be NULL. */
void page_table_end(struct page *p, struct page_table *t, const char *title);

/* gnuplot's SVG made fit for a page with others: no prologue, ids of its own, a title that says what it shows. */
void page_figure(struct page *p, const char *svg, const char *title);

#endif
