#include "harness/measure/job.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/random.h"

enum { PROMPT_FILE_BYTES = 64 << 20, MAX_PROMPTS = 4096 };

struct prompt {
    const char *text;      /* or ids */
    size_t bytes;
    int32_t *ids;
    int n;
};

static enum status parse_ids(const char *text, struct arena *a, struct prompt *out, struct error *e) {
    size_t most = strlen(text) / 2 + 1;
    out->ids = arena_alloc(a, most * sizeof *out->ids);
    for (const char *at = text; *at;) {
        char *end;
        long id = strtol(at, &end, 10);
        if (end == at || (*end && *end != ',') || id < 0 || id > INT32_MAX)
            return error_set(e, STATUS_INPUT, "--prompt-ids: '%.20s' is not a list of token ids (1,2,3)", at);
        out->ids[out->n++] = (int32_t)id;
        at = *end ? end + 1 : end;
    }
    return out->n ? STATUS_OK : error_set(e, STATUS_INPUT, "--prompt-ids is empty");
}

static enum status read_lines(const char *path, struct arena *a, struct prompt *prompts, int *n, struct error *e) {
    char *data;
    size_t length;
    enum status s = file_read(path, PROMPT_FILE_BYTES, &data, &length, e);
    if (s != STATUS_OK) return s;
    for (char *at = data; at < data + length && s == STATUS_OK;) {
        size_t bytes = strcspn(at, "\n");
        size_t shown = bytes && at[bytes - 1] == '\r' ? bytes - 1 : bytes;
        if (*n == MAX_PROMPTS) s = error_set(e, STATUS_INPUT, "%s: more than %d prompts", path, MAX_PROMPTS);
        else if (shown) prompts[(*n)++] = (struct prompt){.text = arena_copy_bytes(a, at, shown), .bytes = shown};
        at += bytes + 1;
    }
    mem_free(data);
    if (s == STATUS_OK && *n == 0) s = error_set(e, STATUS_INPUT, "%s: holds no prompt", path);
    return s;
}

/* Ids from the seed; distinct prompts for distinct requests. */
static void synthetic_prompt(const struct spec *s, const struct llm_model *m, int index, struct arena *a, struct prompt *out) {
    uint64_t state = random_mix(s->sampling.seed) + (uint64_t)index;
    out->n = s->prompt;
    out->ids = arena_alloc(a, (size_t)s->prompt * sizeof *out->ids);
    for (int i = 0; i < out->n; i++) out->ids[i] = (int32_t)(random_next(&state) % (uint64_t)m->config.vocabulary);
}

static enum status collect(const struct spec *s, const struct llm_model *m, struct arena *a, struct prompt *prompts, int *n, struct error *e) {
    *n = 0;
    if (s->prompts) return read_lines(s->prompts, a, prompts, n, e);
    if (s->prompt_text) {
        prompts[(*n)++] = (struct prompt){.text = s->prompt_text, .bytes = strlen(s->prompt_text)};
        return STATUS_OK;
    }
    if (s->prompt_ids) return parse_ids(s->prompt_ids, a, &prompts[(*n)++], e);
    for (; *n < s->batch; (*n)++) synthetic_prompt(s, m, *n, a, &prompts[*n]);
    return STATUS_OK;
}

static enum status tokenise(struct llm_model *m, struct prompt *p, struct arena *a, struct error *e) {
    if (!p->text) return STATUS_OK;
    if (!m->tokenizer)
        return error_set(e, STATUS_INPUT, "'%s' has no tokenizer, so it cannot read text; give --prompt-ids or --prompt N", m->name);
    struct token_list list = {0};
    enum status s = tokenizer_encode(m->tokenizer, p->text, p->bytes, 1, &list, e);
    if (s == STATUS_OK && list.count == 0) s = error_set(e, STATUS_INPUT, "a prompt is empty after tokenising");
    if (s == STATUS_OK) {
        p->n = (int)list.count;
        p->ids = arena_alloc(a, list.count * sizeof *p->ids);
        memcpy(p->ids, list.ids, list.count * sizeof *p->ids);
    }
    token_list_free(&list);
    return s;
}

static enum status check_prompt(const struct spec *s, const struct llm_model *m, const struct prompt *p, struct error *e) {
    for (int i = 0; i < p->n; i++)
        if (p->ids[i] >= m->config.vocabulary)
            return error_set(e, STATUS_INPUT, "token id %d is outside the vocabulary of %s (%lld)", p->ids[i], m->name, (long long)m->config.vocabulary);
    if ((int64_t)p->n + s->generate > m->config.context)
        return error_set(e, STATUS_INPUT, "a prompt of %d tokens and %d to generate are beyond the context of %s, %lld; shorten one of them",
                         p->n, s->generate, m->name, (long long)m->config.context);
    return STATUS_OK;
}

static struct request make_request(const struct spec *s, const struct prompt *p, int index, struct arena *a) {
    struct request r = {.text = p->text, .text_bytes = p->bytes, .n_prompt = p->n, .max_new = s->generate,
                        .ignores_stop = !s->uses_stop, .sampling = s->sampling};
    r.sampling.seed = random_mix(s->sampling.seed + (uint64_t)index);
    r.prompt_capacity = p->n + 16;
    /* heap, not arena: the tokenise stage may let the list grow */
    r.prompt = mem_alloc((size_t)r.prompt_capacity * sizeof *r.prompt);
    memcpy(r.prompt, p->ids, (size_t)p->n * sizeof *r.prompt);
    r.output = arena_alloc(a, (size_t)s->generate * sizeof *r.output);
    r.arrival_ns = arena_alloc(a, (size_t)s->generate * sizeof *r.arrival_ns);
    text_append_bytes(&r.decoded, "", 0);
    return r;
}

static void measure_limits(struct sample_plan *p, const struct spec *s) {
    for (int j = 0; j < p->n_jobs; j++) {
        int64_t rows = 0;
        for (int i = 0; i < p->jobs[j].n_requests; i++) {
            int64_t n = p->jobs[j].requests[i].n_prompt;
            rows += n;
            if (n + s->generate > p->limits.positions) p->limits.positions = n + s->generate;
        }
        if (rows > p->limits.prefill_rows) p->limits.prefill_rows = rows;
        if (p->jobs[j].n_requests > p->limits.slots) p->limits.slots = p->jobs[j].n_requests;
    }
}

enum status sample_plan_make(const struct spec *s, struct llm_model *m, struct sample_plan *out, struct error *e) {
    *out = (struct sample_plan){0};
    struct prompt *prompts = arena_alloc(&out->arena, MAX_PROMPTS * sizeof *prompts);
    int n;
    enum status st = collect(s, m, &out->arena, prompts, &n, e);
    for (int i = 0; i < n && st == STATUS_OK; i++) {
        st = tokenise(m, &prompts[i], &out->arena, e);
        if (st == STATUS_OK) st = check_prompt(s, m, &prompts[i], e);
    }
    if (st != STATUS_OK) return st;
    int n_requests = s->scenario == SCENARIO_OFFLINE && s->batch > 1 ? s->batch : n;
    int each = s->scenario == SCENARIO_SINGLE ? 1 : n_requests;
    out->n_jobs = n_requests / each;
    out->jobs = arena_alloc(&out->arena, (size_t)out->n_jobs * sizeof *out->jobs);
    for (int i = 0; i < n_requests; i++) {
        struct job *job = &out->jobs[i / each];
        if (!job->requests) job->requests = arena_alloc(&out->arena, (size_t)each * sizeof *job->requests);
        job->requests[job->n_requests++] = make_request(s, &prompts[i % n], i, &out->arena);
    }
    measure_limits(out, s);
    return STATUS_OK;
}

void sample_plan_free(struct sample_plan *p) {
    for (int j = 0; j < p->n_jobs; j++)
        for (int i = 0; i < p->jobs[j].n_requests; i++) {
            mem_free(p->jobs[j].requests[i].prompt);
            text_free(&p->jobs[j].requests[i].decoded);
        }
    arena_free(&p->arena);
}
