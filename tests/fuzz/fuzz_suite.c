/* Arbitrary bytes as a suite's file. Nothing is run: what would be is looked at, and every refusal has its place. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "harness/suite/suite.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_plan(struct suite *s) {
    if (s->plan.n_cells < 1 || s->plan.n_cells > PLAN_MAX_CELLS || s->plan.n_blocks < 1) abort();
    for (int i = 0; i < s->plan.n_cells; i++) {
        const struct cell *c = &s->plan.cells[i];
        if (!*c->label || (c->external && (!c->external->command.argv[0] || c->external->n_figures < 1))) abort();
    }
    if (!*plan_json(&s->plan)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct suite s;
    struct error e = {0};
    enum status status = suite_parse("fuzz.yaml", (const char *)data, size, 0, &s, &e);
    if (status != STATUS_OK && (status != e.status || strncmp(e.text, "fuzz.yaml:", 10) != 0)) abort();
    if (status != STATUS_OK) return 0;
    check_plan(&s);
    suite_free(&s);
    return 0;
}
