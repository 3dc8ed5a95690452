#include "harness/commands/command.h"
#include "results/document/document.h"
#include "results/export/export.h"

static int exit_code_of(enum verdict_kind v) {
    return v == VERDICT_SLOWER ? EXIT_CHECK_FAILED : v == VERDICT_INCONCLUSIVE ? EXIT_INCONCLUSIVE : EXIT_DONE;
}

static enum status find_pair(struct store *s, const struct options *o, struct found found[2], struct error *e) {
    for (int i = 0; i < 2; i++) {
        enum status st = store_find(s, o->args[i], FIND_ANY, &found[i], e);
        if (st != STATUS_OK) return st;
        if (found[i].is_experiment) return error_set(e, STATUS_INPUT, "'%s' is an experiment of several cells; name two runs (assay list runs)", o->args[i]);
    }
    return STATUS_OK;
}

static enum status run(struct options *o, int *exit_code, struct error *e) {
    const char *second;
    enum export_format format;
    struct store *s;
    struct found found[2];
    json_t *document = NULL;
    enum verdict_kind verdict;
    enum status st = command_argument(o, 1, "which two runs: assay compare A B", NULL, &second, e);
    if (st == STATUS_OK) st = export_format_parse(o->value[OPT_FORMAT] ? o->value[OPT_FORMAT] : "md", &format, e);
    if (st == STATUS_OK) st = store_open(o->value[OPT_DB], STORE_READ, &s, e);
    if (st != STATUS_OK) return st;
    st = find_pair(s, o, found, e);
    struct compare_options options = {.metric = o->value[OPT_METRIC], .margin = option_real(o, OPT_MARGIN), .across = o->value[OPT_ACROSS]};
    if (st == STATUS_OK) st = document_compare(s, &found[0].id, &found[1].id, &options, &verdict, &document, e);
    if (st == STATUS_OK) {
        st = export_document(document, format, stdout, e);
        *exit_code = exit_code_of(verdict);
    }
    json_decref(document);
    store_close(s);
    return st;
}

const struct command command_compare = {"compare", "A B", "is run B faster or slower than run A? 0 no regression, 1 regression, 3 inconclusive",
                                        FOR_STORE | FOR_OUTPUT | FOR_COMPARE, run, NULL};
