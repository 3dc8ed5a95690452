/* csv.h: rows after RFC 4180. */
#ifndef ASSAY_RESULTS_EXPORT_CSV_H
#define ASSAY_RESULTS_EXPORT_CSV_H

#include <jansson.h>
#include <stdio.h>

void csv_field(FILE *out, int is_first, const char *text);
void csv_json(FILE *out, int is_first, const json_t *value);   /* null: empty; objects and lists as their JSON */
void csv_end(FILE *out);

/* A document as rows. */
void csv_document(const json_t *document, FILE *out);

#endif
