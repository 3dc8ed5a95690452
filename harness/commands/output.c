#include "harness/commands/output.h"

#include "results/document/document.h"
#include "results/export/export.h"

static const char *format_of(const struct options *o) { return o->value[OPT_FORMAT] ? o->value[OPT_FORMAT] : "md"; }

enum status output_check(const struct options *o, struct error *e) {
    enum export_format format;
    enum status s = export_format_parse(format_of(o), &format, e);
    return s == STATUS_OK ? STATUS_OK : (error_prefix(e, "-o"), s);
}

enum status output_found(struct store *s, const struct found *f, const char *format_name, FILE *out, struct error *e) {
    enum export_format format;
    json_t *document = NULL;
    enum status st = export_format_parse(format_name, &format, e);
    if (st != STATUS_OK) return st;
    if (format == EXPORT_TRACE) {
        if (f->is_experiment) return error_set(e, STATUS_INPUT, "a trace is of one run; name a run of the experiment (assay list runs)");
        return export_trace(s, &f->id, out, e);
    }
    if (format == EXPORT_CSV && !f->is_experiment) return export_samples(s, &f->id, out, e);
    st = f->is_experiment ? document_experiment(s, &f->id, format != EXPORT_MD && format != EXPORT_CSV, &document, e) : document_run(s, &f->id, &document, e);
    if (st == STATUS_OK) st = export_document(document, format, out, e);
    json_decref(document);
    return st;
}

/* The only run of an experiment prints as itself. */
enum status output_experiment(const struct options *o, const struct id *id, struct error *e) {
    struct store *s;
    struct run_list runs;
    enum status st = store_open(o->value[OPT_DB], STORE_READ, &s, e);
    if (st != STATUS_OK) return st;
    struct found whole = {.is_experiment = 1, .id = *id};
    st = store_list_runs(s, id, 0, &runs, e);
    int is_single = st == STATUS_OK && runs.count == 1;
    if (is_single) whole = (struct found){.is_experiment = 0, .id = runs.items[0].id};
    if (st == STATUS_OK) {
        st = output_found(s, &whole, format_of(o), stdout, e);
        run_list_free(&runs);
    }
    store_close(s);
    return st;
}
