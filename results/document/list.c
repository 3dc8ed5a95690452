/* list.c: the short documents: lists of runs and experiments, a set of ceilings. */
#include "results/document/document.h"
#include "results/document/json.h"

static json_t *run_json(const struct run_row *r) {
    return json_pack("{s:s,s:s,s:i,s:o,s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:b,s:i,s:i,s:i,s:o}", "id", r->id.text,
                     "experiment", r->experiment.text, "cell", r->cell, "name", json_text(r->name), "state",
                     run_state_name(r->state), "reason", json_text(r->reason), "label", json_text(r->label), "workload",
                     json_text(r->workload), "model", json_text(r->model), "backend", json_text(r->backend), "dtype",
                     json_text(r->dtype), "scenario", json_text(r->scenario), "is_synthetic", r->is_synthetic,
                     "truncated_layers", r->truncated_layers, "processes", r->n_processes, "samples", r->n_samples,
                     "created", json_time(r->created_unix_ns));
}

enum status document_run_list(struct store *s, int limit, json_t **out, struct error *e) {
    struct run_list list;
    *out = NULL;
    enum status status = store_list_runs(s, NULL, limit, &list, e);
    if (status != STATUS_OK) return status;
    json_t *runs = json_array();
    for (int i = 0; i < list.count; i++) json_array_append_new(runs, run_json(&list.items[i]));
    run_list_free(&list);
    *out = json_pack("{s:s,s:i,s:o}", "format", "assay-runs", "version", DOCUMENT_VERSION, "runs", runs);
    return STATUS_OK;
}

enum status document_experiment_list(struct store *s, int limit, json_t **out, struct error *e) {
    struct experiment_list list;
    *out = NULL;
    enum status status = store_list_experiments(s, limit, &list, e);
    if (status != STATUS_OK) return status;
    json_t *items = json_array();
    for (int i = 0; i < list.count; i++) {
        const struct experiment_row *r = &list.items[i];
        json_array_append_new(items, json_pack("{s:s,s:o,s:o,s:o,s:i,s:i,s:i,s:o}", "id", r->id.text, "name",
                                               json_text(r->name), "workload", json_text(r->workload), "design",
                                               json_text(r->design), "cells", r->n_cells, "blocks", r->n_blocks,
                                               "finished", r->n_finished, "created", json_time(r->created_unix_ns)));
    }
    experiment_list_free(&list);
    *out = json_pack("{s:s,s:i,s:o}", "format", "assay-experiments", "version", DOCUMENT_VERSION, "experiments", items);
    return STATUS_OK;
}

json_t *document_ceilings(const struct ceiling_set *set) {
    json_t *items = json_array();
    for (int i = 0; i < set->count; i++) {
        const struct ceiling_record *r = &set->items[i];
        json_array_append_new(items, json_pack("{s:s,s:s,s:o,s:i,s:o,s:o,s:o,s:o}", "kind", r->kind, "unit",
                                               r->unit ? r->unit : "", "pattern", json_text(r->pattern), "threads",
                                               r->threads, "working_set_bytes", json_number(r->working_set_bytes),
                                               "value", json_number(r->value), "low", json_number(r->low), "high",
                                               json_number(r->high)));
    }
    return json_pack("{s:s,s:i,s:o,s:o,s:o}", "format", "assay-ceilings", "version", DOCUMENT_VERSION, "created",
                     json_time(set->created_unix_ns), "noise", json_number(set->noise), "ceilings", items);
}
