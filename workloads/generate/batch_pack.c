/* batch_pack.c: one request a slot, rows packed without padding; requests of unequal lengths that end at
 * different steps are the ordinary case. */
#include "kernels/base/random.h"
#include "workloads/pipeline.h"

static void slot_sampling(const struct request *r, struct launch *l, int choice, int request) {
    float *p = l->params + 4 * choice;
    p[0] = r->sampling.temperature;
    p[1] = (float)r->sampling.top_k;
    p[2] = r->sampling.top_p;
    p[3] = 0;
    /* Counter-based: token n of a request draws the same number in any batch, order or backend. */
    l->seeds[choice] = (int64_t)random_mix(r->sampling.seed ^ random_mix((uint64_t)r->n_output));
    l->request_of[choice] = request;
}

static void launch_begin(struct launch *l) {
    l->n_slots = 0;
    for (int i = 0; i < SYMBOL_COUNT; i++) l->symbols[i] = 0;
    l->facts = (struct facts){0};
}

static void add_row(struct launch *l, int32_t id, int slot, int pos) {
    int64_t r = l->symbols[SYMBOL_R]++;
    l->ids[0][r] = id;
    l->rows[r] = slot;
    l->pos[r] = pos;
    l->facts.sum_keys += pos + 1;
}

static void end_slot(struct launch *l, const struct request *r, int request, int keys) {
    if (keys > l->symbols[SYMBOL_S]) l->symbols[SYMBOL_S] = keys;
    l->facts.distinct_keys += keys;
    l->facts.rows = l->symbols[SYMBOL_R];
    l->last[l->n_slots] = (int32_t)(l->symbols[SYMBOL_R] - 1);
    slot_sampling(r, l, l->n_slots, request);
    l->symbols[SYMBOL_B] = ++l->n_slots;
}

static void pack_prefill(const struct job *job, struct launch *l) {
    launch_begin(l);
    for (int i = 0; i < job->n_requests; i++) {
        const struct request *r = &job->requests[i];
        for (int t = 0; t < r->n_prompt; t++) add_row(l, r->prompt[t], i, t);
        end_slot(l, r, i, r->n_prompt);
    }
}

static void pack_decode(const struct job *job, struct launch *l) {
    launch_begin(l);
    for (int i = 0; i < job->n_requests; i++) {
        const struct request *r = &job->requests[i];
        if (r->finish != FINISH_NONE) continue;
        int32_t fed = r->forced ? r->forced[r->n_output - 1] : r->output[r->n_output - 1];
        add_row(l, fed, i, r->length);
        end_slot(l, r, i, r->length + 1);
    }
}

static int is_stop(const struct pipeline *p, int32_t id) {
    for (int i = 0; i < p->n_stop; i++)
        if (p->stop[i] == id) return 1;
    return 0;
}

static void request_accept(const struct pipeline *p, struct request *r, int32_t id, uint64_t now_ns) {
    r->length = r->length == 0 ? r->n_prompt : r->length + 1;
    r->arrival_ns[r->n_output] = now_ns;
    r->output[r->n_output++] = id;
    if (!r->ignores_stop && is_stop(p, id)) r->finish = FINISH_STOP;
    else if (r->n_output >= r->max_new) r->finish = FINISH_LENGTH;
    else if (r->length >= p->context) r->finish = FINISH_CONTEXT;
}

static void pack_accept(const struct pipeline *p, struct job *job, const struct launch *l, uint64_t now_ns) {
    for (int i = 0; i < l->n_slots; i++) {
        int32_t chosen = l->chosen[i];
        request_accept(p, &job->requests[l->request_of[i]], chosen, now_ns);
    }
}

const struct batcher batcher_pack = {"pack", 1, pack_prefill, pack_decode, pack_accept};
