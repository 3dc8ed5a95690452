#include "results/export/quality.h"

#include <math.h>
#include <string.h>

#include "kernels/base/memory.h"
#include "results/export/human.h"

char *fidelity_words(const json_t *run) {
    struct text out = {0};
    const json_t *f = json_object_get(run, "fidelity");
    text_append(&out, "%s", json_field_text(f, "class"));
    if (json_is_object(f)) text_append(&out, " (error %s", human_value(json_field(f, "error"), "").text);
    if (json_is_object(f) && !json_is_true(json_object_get(f, "ok"))) {
        text_append(&out, ", %s its bound", json_is_true(json_object_get(run, "is_past_bound")) ? "past" : "OUTSIDE");
        if (isfinite(json_field(f, "bound"))) text_append(&out, " %s", human_value(json_field(f, "bound"), "").text);
    }
    if (json_is_object(f)) text_append(&out, ")");
    return out.data;
}

char *quality_words(const json_t *run, const json_t *deltas) {
    struct text out = {0};
    const char *name;
    json_t *q;
    text_append(&out, "%s", "");
    json_object_foreach(json_object_get(run, "quality"), name, q) {
        double delta = json_field(json_object_get(deltas, name), "delta");
        const char *unit = json_field_text(q, "unit");
        text_append(&out, "%s%s %s%s%s", out.length ? ", " : "", name, human_value(json_field(q, "value"), "").text, *unit ? " " : "", unit);
        if (isfinite(delta)) text_append(&out, " (%s%.3g)", delta < 0 ? "−" : "+", fabs(delta));
    }
    return out.data;
}

/* A speed-up only where every receipt says that the switch took effect. */
const char *speedless_words(const json_t *run) {
    size_t index;
    json_t *r;
    if (json_is_true(json_object_get(run, "is_past_bound"))) return "past its bound";
    json_array_foreach(json_object_get(run, "receipts"), index, r)
        if (strcmp(json_field_text(r, "verdict"), "ENGAGED") != 0) return "not engaged";
    return json_array_size(json_object_get(run, "receipts")) < json_array_size(json_object_get(run, "factors")) ? "no receipt" : NULL;
}
