/* finding.c: what is found once a run; the later record of a name wins. */
#include <math.h>

#include "results/store/internal.h"

#define X(name, text) text,
static const char *const verdicts[] = {RECEIPT_LIST(X)};
static const char *const classes[] = {FIDELITY_LIST(X)};
#undef X

const char *receipt_verdict_name(enum receipt_verdict v) { return verdicts[v]; }
const char *fidelity_class_name(enum fidelity_class c) { return classes[c]; }

enum status store_receipt(struct store *s, const struct id *run, const struct receipt_record *r, struct error *e) {
    return store_run(s, e, "INSERT OR REPLACE INTO receipt VALUES(?, ?, ?, ?, ?)", "ttttt", run->text, r->optimizer,
                     r->settings ? r->settings : "", verdicts[r->verdict], r->evidence);
}

enum status store_fidelity(struct store *s, const struct id *run, const struct fidelity_record *r, struct error *e) {
    return store_run(s, e, "INSERT OR REPLACE INTO fidelity VALUES(?, ?, ?, ?, ?, ?, ?)", "ttrrrit", run->text,
                     classes[r->class], r->error, r->plain_error, r->bound, (int64_t)(r->is_ok != 0), r->detail);
}

enum status store_quality(struct store *s, const struct id *run, const struct quality_record *r, struct error *e) {
    return store_run(s, e, "INSERT OR REPLACE INTO quality VALUES(?, ?, ?, ?, ?, ?)", "tttrnt", run->text, r->name,
                     r->unit, r->value, r->n, r->detail);
}

enum status store_memory(struct store *s, const struct id *run, const struct memory_record *r, struct error *e) {
    return store_run(s, e, "INSERT OR REPLACE INTO memory VALUES(?, ?, ?)", "ttr", run->text, r->class, r->bytes);
}

enum status store_perturbation(struct store *s, const struct id *run, const struct perturbation_record *r,
                               struct error *e) {
    return store_run(s, e, "INSERT OR REPLACE INTO perturbation VALUES(?, ?, ?, ?, ?)", "trrrr", run->text, r->ratio,
                     r->low, r->high, r->by_operation > 0 ? r->by_operation : NAN);
}

enum status store_output(struct store *s, const struct id *run, const struct output_record *r, struct error *e) {
    return store_run(s, e, "INSERT OR REPLACE INTO output VALUES(?, ?, ?, ?)", "titt", run->text, (int64_t)r->request,
                     r->tokens_json, r->text);
}
