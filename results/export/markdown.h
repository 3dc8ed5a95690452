/* markdown.h: a document as headings and tables. */
#ifndef ASSAY_RESULTS_EXPORT_MARKDOWN_H
#define ASSAY_RESULTS_EXPORT_MARKDOWN_H

#include <jansson.h>
#include <stdio.h>

void markdown_document(const json_t *document, FILE *out);

/* ---- what its files share ---- */

void md_experiment(const json_t *document, FILE *out);
void md_comparison(const json_t *document, FILE *out);
/* What a suite compares, and why an entry has no value; nothing for other experiments. */
void md_rows(const json_t *document, FILE *out);

/* " (synthetic weights, cut to 2 layers)" for the first heading of each table of a run; "" where neither. */
struct md_note {
    char text[80];
};
struct md_note md_note_of(const json_t *run);

/* A row: cells ended by NULL; pipes and line ends in them are made harmless, "" is a dash. The header's first cell
 * carries the note; a rule follows it. Cells from the second on are right-aligned where `is_numeric`. */
void md_header(FILE *out, const char *note, int is_numeric, const char *const *cells);
void md_row(FILE *out, const char *const *cells);
#define MD_CELLS(...) (const char *const[]){__VA_ARGS__, NULL}

#endif
