#include "harness/external/external.h"

#include <string.h>
#include <sys/wait.h>

#include "harness/trace/launch.h"
#include "results/document/json.h"

enum { MOST_WORDS = 200 };

const char *external_program(const struct external *x) {
    const char *slash = strrchr(x->command.argv[0], '/');
    return slash ? slash + 1 : x->command.argv[0];
}

static json_t *texts(const char *const *list) {
    json_t *out = json_array();
    for (; list && *list; list++) json_array_append_new(out, json_text(*list));
    return out;
}

static json_t *figure_json(const struct figure *f) {
    static const char *const sources[] = {"json", "regex", "wall"};
    return json_pack("{s:s, s:s, s:o, s:f}", "metric", f->metric, "from", sources[f->source], "pattern", json_text(f->pattern), "scale", f->scale);
}

json_t *external_json(const struct external *x) {
    json_t *figures = json_array();
    for (int i = 0; i < x->n_figures; i++) json_array_append_new(figures, figure_json(&x->figures[i]));
    return json_pack("{s:s, s:o, s:o, s:o, s:f, s:o}", "workload", "external", "command", texts(x->command.argv), "environment", texts(x->command.environment),
                     "directory", json_text(x->command.directory), "limit_s", x->command.limit_s, "figures", figures);
}

/* The end of what it said on standard error, in a form that fits into a reason. */
static char *last_words(const struct text *errors) {
    size_t end = errors->length;
    while (end > 0 && (unsigned char)errors->data[end - 1] <= ' ') end--;
    size_t start = end;
    while (start > 0 && errors->data[start - 1] != '\n' && end - start < MOST_WORDS) start--;
    char *words = mem_printf("%s%.*s", end > start ? ": " : "", (int)(end - start), errors->data + start);
    for (char *c = words; *c; c++)
        if ((unsigned char)*c < ' ') *c = ' ';
    return words;
}

static enum status judge(const struct external *x, const struct child_result *r, struct error *e) {
    if (r->is_late) return error_set(e, STATUS_BACKEND, "%s ran into its limit of %g s and was ended", external_program(x), x->command.limit_s);
    char *end = launch_end(r->state);
    if (end) {
        char *words = last_words(&r->errors);
        error_set(e, STATUS_BACKEND, "%s %s%s", external_program(x), end, words);
        mem_free(words);
        mem_free(end);
        return STATUS_BACKEND;
    }
    if (!r->is_cut) return STATUS_OK;
    return error_set(e, STATUS_BACKEND, "%s printed more than %d MiB, of which nothing is read", external_program(x), CHILD_MOST_OUTPUT >> 20);
}

static enum status read_figures(const struct external *x, const struct child_result *r, double *values, struct error *e) {
    struct figure_text t = {r->output.data, r->errors.data, r->output.length, r->errors.length, r->wall_ns};
    for (int i = 0; i < x->n_figures; i++) {
        enum status s = figure_read(&x->figures[i], &t, &values[i], e);
        if (s != STATUS_OK) return error_prefix(e, "%s", external_program(x)), s;
    }
    return STATUS_OK;
}

enum status external_run(const struct external *x, struct external_found *out, struct error *e) {
    struct child_result r;
    enum status s = child_run(&x->command, &r, e);
    if (s != STATUS_OK) return s;
    s = judge(x, &r, e);
    if (s == STATUS_OK) s = read_figures(x, &r, out->values, e);
    out->pid = r.pid;
    out->start_unix_ns = r.start_unix_ns;
    out->start_ns = r.start_ns;
    out->wall_ns = r.wall_ns;
    child_result_free(&r);
    return s;
}
