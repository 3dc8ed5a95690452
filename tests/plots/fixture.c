/* fixture.c: included by the tests of this folder (each test is one source file). */
#include "plots/fixture.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernels/base/random.h"
#include "results/store/store.h"

const double fixture_speed_ups[FIXTURE_FACTORS_MAX] = {1.18, 1.31, 1.6, 1.0};
static const char *const factor_names[FIXTURE_FACTORS_MAX] = {"attention", "fusion=qkv,norm", "quantize=int8", "graph"};
static const int64_t epoch_ns = 1700000000000000000;

static const struct made_up_op {
    const char *stage, *op, *category, *place;
    double calls, ms, flop, bytes;
} ops[] = {
    {"prefill", "linear qkv", "linear", "layer", 30, 14, 2.1e9, 4.2e7},
    {"prefill", "linear gate_up", "linear", "layer", 30, 22, 3.6e9, 7.9e7},
    {"prefill", "scores", "attention", "layer", 30, 11, 3.1e8, 1.4e8},
    {"prefill", "softmax", "attention", "layer", 30, 9, 2.2e7, 1.5e8},
    {"prefill", "rmsnorm", "norm_elementwise", "layer", 61, 5, 9e6, 3.6e7},
    {"prefill", "embed", "embedding", "embed", 1, 0.4, 0, 3e5},
    {"decode", "linear qkv", "linear", "layer", 930, 52, 7.1e8, 7.1e8},
    {"decode", "linear gate_up", "linear", "layer", 930, 103, 1.4e9, 1.4e9},
    {"decode", "linear down", "linear", "layer", 930, 52, 7e8, 7e8},
    {"decode", "linear head", "linear", "head", 31, 86, 1.2e9, 1.2e9},
    {"decode", "scores", "attention", "layer", 930, 15, 4.1e7, 1.7e8},
    {"decode", "softmax", "attention", "layer", 930, 6, 3e6, 2.1e7},
    {"decode", "rmsnorm", "norm_elementwise", "layer", 1891, 13, 4e6, 1.6e7},
    {"decode", "rope", "norm_elementwise", "layer", 1860, 7, 4e6, 1.6e7},
    {"decode", "silu_multiply", "norm_elementwise", "layer", 930, 9, 6e6, 2.4e7},
    {"sample", "argmax", "sampling", "head", 32, 2.1, 1.6e6, 6.3e6},
};
enum { N_OPS = sizeof ops / sizeof *ops };

struct maker {
    struct store *store;
    const struct fixture_options *o;
    struct error *e;
    uint64_t random;
    struct id experiment, run;
    uint32_t mask;
    int is_sparse;            /* factors are alternatives of sparsity */
    double speed_up;
    double luck;              /* of the process: its share of the spread */
};

/* About 1, with a long tail upwards. */
static double noise(struct maker *m, double width) {
    double a = random_unit(random_next(&m->random)), b = random_unit(random_next(&m->random));
    return 1 + width * (a - 0.5) + (b > 0.97 ? 6 * width * a : 0);
}

static double speed_up_of(uint32_t mask) {
    double out = 1;
    for (int i = 0; i < FIXTURE_FACTORS_MAX; i++)
        if (mask >> i & 1) out *= fixture_speed_ups[i];
    return (mask & 3) == 3 ? out * 1.05 : out;
}

static enum status put_sample(struct maker *m, int64_t process, int index, enum sample_phase phase) {
    enum { N = FIXTURE_TOKENS + 8 };
    struct value_record v[N];
    int n = 0;
    double first = 72e6 * m->luck / m->speed_up * noise(m, 0.03), sum = first;
    for (int i = 1; i < FIXTURE_TOKENS; i++) {
        double gap = (11.2e6 + 1e4 * i) * m->luck / m->speed_up * noise(m, 0.05);
        v[n++] = (struct value_record){"itl_ns", i, gap};
        sum += gap;
    }
    v[n++] = (struct value_record){"ttft_ns", 0, first};
    v[n++] = (struct value_record){"e2e_ns", 0, sum};
    v[n++] = (struct value_record){"tpot_ns", 0, (sum - first) / (FIXTURE_TOKENS - 1)};
    v[n++] = (struct value_record){"prefill_tokens_per_s", 0, 128 / first * 1e9};
    v[n++] = (struct value_record){"decode_tokens_per_s", 0, (FIXTURE_TOKENS - 1) / (sum - first) * 1e9};
    struct sample_record r = {index, phase, (int64_t)1e9 * index, (int64_t)(sum * 1.002), v, n};
    return store_sample(m->store, process, &r, m->e);
}

static int is_op_there(const struct maker *m, int i) {
    return !((m->mask & 1 && strcmp(ops[i].op, "softmax") == 0) || (m->mask & 2 && strcmp(ops[i].op, "rope") == 0));
}

/* Adds to the line of (stage, category), or makes it. */
static void add_line(struct ledger_line *lines, int *n, const struct op_line *op) {
    int i = 0;
    while (i < *n && (strcmp(lines[i].stage, op->stage) != 0 || strcmp(lines[i].category, op->category) != 0)) i++;
    if (i == *n)
        lines[(*n)++] = (struct ledger_line){.unit = "team of 2", .stage = op->stage, .category = op->category,
            .ceiling_share = NAN, .ceiling = strcmp(op->category, "linear") == 0 ? "read 268 MB" : NULL};
    lines[i].ns += op->ns;
    lines[i].flop += op->flop;
    lines[i].bytes += op->bytes;
    lines[i].launches += op->calls;
    if (lines[i].ceiling) lines[i].ceiling_share = lines[i].bytes / lines[i].ns / 21.0;
}

static enum status put_profile(struct maker *m, int64_t process, int index) {
    struct op_line list[N_OPS];
    struct ledger_line lines[N_OPS + 6];
    int n = 0, n_lines = 0;
    double busy = 0;
    for (int i = 0; i < N_OPS; i++) {
        if (!is_op_there(m, i)) continue;
        double ns = ops[i].ms * 1e6 * m->luck / pow(m->speed_up, strcmp(ops[i].category, "linear") == 0 ? 0.9 :
            1.2) * noise(m, 0.02);
        list[n] = (struct op_line){ops[i].stage, ops[i].op, ops[i].category, ops[i].place, (int64_t)ops[i].calls, ns,
                                   ops[i].flop, m->mask & 4 ? ops[i].bytes * 0.55 : ops[i].bytes};
        busy += ns;
        add_line(lines, &n_lines, &list[n++]);
    }
    const struct {
        const char *stage, *category;
        double share;
    } rest[] = {{"tokenise", "host", 0.003}, {"detokenise", "host", 0.002}, {"decode", "idle:imbalance", 0.021},
                {"decode", "idle:dispatch", 0.012}, {NULL, "idle:serial", 0.007}, {NULL, "residual", 0.004}};
    double wall = busy;
    for (int i = 0; i < 6; i++) {
        lines[n_lines++] = (struct ledger_line){.unit = "team of 2", .stage = rest[i].stage,
            .category = rest[i].category,
            .ns = busy * rest[i].share, .flop = NAN, .bytes = NAN, .ceiling_share = NAN};
        wall += busy * rest[i].share;
    }
    enum status status = put_sample(m, process, index, PHASE_PROFILED);
    struct ledger_record ledger = {wall, lines, n_lines, 1, NULL};
    if (status == STATUS_OK) status = store_ledger(m->store, process, index, &ledger, m->e);
    if (status == STATUS_OK) status = store_ops(m->store, process, index, list, n, m->e);
    return status;
}

static enum status put_process(struct maker *m, int block, int order) {
    struct process_record r = {block, order, 1000 + block * 100 + order, epoch_ns + block * (int64_t)1e9 * 60,
                               (int64_t)(2.1e8 * noise(m, 0.1)), (int64_t)9e7, (int64_t)4.1e8};
    int64_t process;
    m->luck = 1 + 0.02 * (random_unit(random_next(&m->random)) - 0.5);
    enum status status = store_process_begin(m->store, &m->run, &r, &process, m->e);
    for (int i = 0; status == STATUS_OK && i < FIXTURE_SAMPLES; i++) status = put_sample(m, process, i, PHASE_TIMED);
    for (int i = 0; status == STATUS_OK && i < 2 && !m->o->is_bare; i++) status = put_profile(m, process, i);
    return status == STATUS_OK ? store_process_finish(m->store, process, m->e) : status;
}

static enum status put_findings(struct maker *m) {
    enum status status = STATUS_OK;
    struct receipt_record pruned = {"sparsity", "", RECEIPT_ENGAGED, "210 of 210 operations ran with sparse weights"};
    if (m->is_sparse && m->mask) status = store_receipt(m->store, &m->run, &pruned, m->e);
    for (int i = 0; status == STATUS_OK && i < m->o->n_factors && !m->is_sparse; i++) {
        if (!(m->mask >> i & 1)) continue;
        char name[32], evidence[128];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(factor_names[i], "="), factor_names[i]);
        snprintf(evidence, sizeof evidence, "%d of %d expected operations ran replaced", i == 3 ? 0 : 60, 60);
        struct receipt_record r = {name, factor_names[i] + strlen(name) + (factor_names[i][strlen(name)] == '='),
                                   i == 3 ? RECEIPT_NO_OP : RECEIPT_ENGAGED, evidence};
        status = store_receipt(m->store, &m->run, &r, m->e);
    }
    int is_lossy = (m->mask & 4) || m->is_sparse, is_past = is_lossy && m->o->is_past;
    struct fidelity_record f = {is_lossy ? FIDELITY_LOSSY : m->mask ? FIDELITY_REORDERED : FIDELITY_EXACT,
        is_lossy ? 0.031 : 0.0041, 0.0039, is_past ? 0.02 : is_lossy ? 0.05 : 0.0078, !is_past, "64 teacher-forced positions; 0 "
            "choices differ"};
    if (status == STATUS_OK) status = store_fidelity(m->store, &m->run, &f, m->e);
    const struct quality_record q[] = {{"nll", "nats/token", is_lossy ? 3.479 : m->mask ? 3.4512 : 3.4510, 511, NULL},
        {"cloze_accuracy", "", is_lossy ? 25 / 30.0 : 28 / 30.0, 30, NULL},
        {"kl_from_plain", "nats/token", is_lossy ? 0.02 * (1 + (m->mask & 1)) : 3e-7, 256, NULL}, {"top1_as_plain", "", is_lossy ? 0.91 : 1, 256, NULL}};
    for (int i = 0; i < (m->mask ? 4 : 2) && status == STATUS_OK && !m->o->is_bare; i++) status = store_quality(m->store, &m->run, &q[i], m->e);
    const struct memory_record memory[] = {{"weights", 2.69e8}, {"states", 2.3e7}, {"activations", 9.1e6},
                                           {"peak_resident", 3.62e8}};
    for (int i = 0; status == STATUS_OK && i < 4; i++) status = store_memory(m->store, &m->run, &memory[i], m->e);
    struct perturbation_record p = {.ratio = 1.011, .low = 1.004, .high = 1.018};
    if (status == STATUS_OK && !m->o->is_bare) status = store_perturbation(m->store, &m->run, &p, m->e);
    struct output_record out = {0, "[253,1042,198]", m->o->is_hostile && !m->mask
        ? "<script>alert(1)</script> | `touch /tmp/x` & \"quotes\"" : "The capital of France is Paris, a city "
            "on the Seine."};
    if (status == STATUS_OK) status = store_output(m->store, &m->run, &out, m->e);
    return status;
}

static const struct fact machine_facts[] = {
    {"cpu", "Example CPU 9000, 2 cores"}, {"isa", "avx512bf16"}, {"memory", "16 GB"}, {"caches", "L1 48 kB, L2 "
        "2 MB, L3 36 MB"}};
static const struct fact environment_facts[] = {
    {"governor", "performance"}, {"kernel", "6.1"}, {"load", "0.1"}, {"steal", "0.0 %"}, {"assay", ASSAY_VERSION}};

static void label_of(const struct fixture_options *o, uint32_t mask, int axis, char *out, size_t size) {
    snprintf(out, size, "%s", mask ? "" : o->is_hostile ? "plain <b>&`touch x`'\"" : "plain");
    for (int i = 0; i < o->n_factors; i++) {
        size_t at = strlen(out);
        if (mask >> i & 1)
            snprintf(out + at, size - at, "%s%.*s", at ? "+" : "", (int)strcspn(factor_names[i], "="), factor_names[i]);
    }
    size_t at = strlen(out);
    if (o->has_axis) snprintf(out + at, size - at, " batch=%d", axis ? 8 : 1);
}

static enum status begin_run(struct maker *m, const struct cell_record *cell, struct run_record *run) {
    struct machine_record machine = {machine_facts, sizeof machine_facts / sizeof *machine_facts};
    struct environment_record environment = {environment_facts, sizeof environment_facts / sizeof *environment_facts};
    enum status status = store_cell(m->store, &m->experiment, cell, m->e);
    if (status == STATUS_OK) status = id_draw(&run->id, m->e);
    m->run = run->id;
    return status == STATUS_OK ? store_run_begin(m->store, run, &machine, &environment, m->e) : status;
}

static enum status put_cell(struct maker *m, uint32_t mask, int axis) {
    char label[96];
    label_of(m->o, mask, axis, label, sizeof label);
    m->mask = mask;
    m->speed_up = speed_up_of(mask) / (axis ? 2.5 : 1);
    int index = (int)mask + (axis << m->o->n_factors);
    struct cell_record cell = {index, mask, label, !m->o->has_axis ? "{}" : axis ? "{\"batch\": 8}" : "{\"batch\": 1}"};
    struct run_record run = {.experiment = m->experiment, .cell = index, .workload = "llm", .model = "SmolLM2-135M",
        .backend = "cpu", .dtype = "bf16", .scenario = "single", .label = label,
        .spec_json = "{\"backend\":\"cpu\",\"batch\":1,"
            "\"dtype\":\"bf16\",\"generate\":32,\"prompt\":128,\"seed\":1,\"threads\":2}",
        .spec_hash = 0x1234 + mask, .comparability = 0xabcd,
        .comparability_json = "{\"backend\":\"cpu\",\"dtype\":\"bf16\","
            "\"isa\":\"avx512bf16\",\"machine\":\"Example CPU 9000\"}",
        .is_synthetic = m->o->is_synthetic, .truncated_layers = 0, .created_unix_ns = epoch_ns + mask};
    enum status status = begin_run(m, &cell, &run);
    if (status == STATUS_OK && m->o->has_gap && mask == 2)
        return store_run_finish(m->store, &m->run, RUN_SKIPPED, "needs 40 GB of memory, 16 GB are there", m->e);
    for (int block = 0; status == STATUS_OK && block < FIXTURE_BLOCKS; block++)
        status = put_process(m, block, (int)((mask + (uint32_t)block * 3) % (1u << m->o->n_factors)));
    if (status == STATUS_OK) status = put_findings(m);
    if (status == STATUS_OK && mask == 1)
        status = store_warning(m->store, &m->run, "the machine was busy with something else for 1.2 % of the time",
            m->e);
    if (status == STATUS_OK) status = store_run_finish(m->store, &m->run, RUN_OK, NULL, m->e);
    return status;
}

const double fixture_shares[FIXTURE_SHARES] = {0.2, 0.4, 0.6, 0.8};
static const char *const sparse_names[FIXTURE_SHARES] = {"sparsity=share=0.2", "sparsity=share=0.4", "sparsity=share=0.6", "sparsity=share=0.8"};

static enum status put_sparse_cell(struct maker *m, int rows, int alternative, int index) {
    char label[64], axes[32], spec[256];
    const char *name = alternative < 0 ? "plain" : sparse_names[alternative];
    snprintf(label, sizeof label, "%s batch=%d", name, rows);
    snprintf(axes, sizeof axes, "{\"batch\": \"%d\"}", rows);
    snprintf(spec, sizeof spec, "{\"batch\":%d,\"opt\":[%s%s%s],\"prompt\":128,\"prompt_text\":\"given\"}", rows, alternative < 0 ? "" : "\"", alternative < 0 ? "" : name,
             alternative < 0 ? "" : "\"");
    m->mask = alternative < 0 ? 0 : 1u << alternative;
    m->is_sparse = alternative >= 0;
    m->speed_up = alternative < 0 ? 1 : 1 / ((1 - fixture_shares[alternative]) * (1 + (double)rows / FIXTURE_ROWS));
    struct cell_record cell = {index, m->mask, label, axes};
    struct run_record run = {.experiment = m->experiment, .cell = index, .workload = "llm", .model = "SmolLM2-135M", .backend = "cpu", .dtype = "bf16",
        .scenario = "offline", .label = label, .spec_json = spec, .comparability = 1, .comparability_json = "{}", .created_unix_ns = epoch_ns};
    enum status status = begin_run(m, &cell, &run);
    for (int block = 0; status == STATUS_OK && block < FIXTURE_BLOCKS; block++) status = put_process(m, block, index);
    if (status == STATUS_OK) status = put_findings(m);
    return status == STATUS_OK ? store_run_finish(m->store, &m->run, RUN_OK, NULL, m->e) : status;
}

enum status fixture_write_sparse(const char *path, struct error *e) {
    static const struct fixture_options options = {.n_factors = FIXTURE_SHARES};
    struct maker m = {.o = &options, .e = e, .random = 42};
    remove(path);
    enum status status = store_open(path, STORE_WRITE, &m.store, e);
    if (status != STATUS_OK) return status;
    status = id_draw(&m.experiment, e);
    struct experiment_record x = {m.experiment, "sparse", "llm", "each", "{}", 7, FIXTURE_SHARES, sparse_names, FIXTURE_BLOCKS, epoch_ns};
    if (status == STATUS_OK) status = store_experiment_begin(m.store, &x, e);
    int index = 0;
    for (int rows = 1; rows <= 16; rows *= 4)
        for (int a = -1; a < FIXTURE_SHARES && status == STATUS_OK; a++) status = put_sparse_cell(&m, rows, a, index++);
    store_close(m.store);
    return status;
}

static enum status put_ceilings(struct maker *m) {
    const struct ceiling_record items[] = {
        {"read", "", "8 streams", 2, 3.2e4, 3.1e11, 3.0e11, 3.15e11}, {"read", "", "8 streams", 2, 1e6, 1.3e11,
            1.2e11, 1.33e11},
        {"read", "", "4 streams", 2, 3.2e7, 4.4e10, 4.2e10, 4.5e10},  {"read", "", "4 streams", 2, 2.68e8, 2.1e10,
            2.05e10, 2.12e10},
        {"copy", "", "non-temporal", 2, 2.68e8, 1.4e10, 1.35e10, 1.42e10},
        {"matrix", "f32", "packed 16", 2, 0, 2.1e11, 2.05e11, 2.12e11}, {"matrix", "bf16", "packed 32", 2, 0,
            4.3e11, 4.2e11, 4.35e11},
    };
    struct ceiling_set set = {epoch_ns - 1000, 0.01, items, sizeof items / sizeof *items};
    struct machine_record machine = {machine_facts, sizeof machine_facts / sizeof *machine_facts};
    return store_ceilings(m->store, &machine, &set, m->e);
}

enum status fixture_write(const char *path, const struct fixture_options *o, struct error *e) {
    struct maker m = {.o = o, .e = e, .random = 42};
    remove(path);
    enum status status = store_open(path, STORE_WRITE, &m.store, e);
    if (status != STATUS_OK) return status;
    status = id_draw(&m.experiment, e);
    struct experiment_record x = {m.experiment, "made-up", "llm", "full", "{}", 7, o->n_factors, factor_names,
                                  FIXTURE_BLOCKS, epoch_ns};
    if (status == STATUS_OK) status = store_experiment_begin(m.store, &x, e);
    if (status == STATUS_OK && !o->is_bare) status = put_ceilings(&m);
    for (int axis = 0; axis <= o->has_axis; axis++)
        for (uint32_t mask = 0; status == STATUS_OK && mask < 1u << o->n_factors; mask++) status = put_cell(&m,
            mask, axis);
    store_close(m.store);
    return status;
}
