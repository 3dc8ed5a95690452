/* fixture.h: a small made-up store with known contents: one full 2^2 experiment of three blocks. */
#ifndef ASSAY_TESTS_RESULTS_FIXTURE_H
#define ASSAY_TESTS_RESULTS_FIXTURE_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "results/store/store.h"

enum { FIXTURE_BLOCKS = 3, FIXTURE_CELLS = 4, FIXTURE_SAMPLES = 6 };
static const char fixture_experiment[] = "e0e0e0e0000000000000000000000001";
static const char *const fixture_runs[] = {"a0a0a0a0000000000000000000000000", "a1a1a1a1000000000000000000000001",
                                           "b2b2b2b2000000000000000000000002", "b2b2c3c3000000000000000000000003"};
/* e2e_ns of each mask in block 0: attention 100/80, fusion 100/50, both 100/40: no interaction. */
static const double fixture_e2e_ns[] = {100e6, 80e6, 50e6, 40e6};
static const double fixture_drift[] = {1, 1.01, 0.99};

static inline struct id fixture_id(const char *text) {
    struct id id;
    snprintf(id.text, sizeof id.text, "%s", text);
    return id;
}

static inline char *fixture_path(void) {
    char folder[] = "/tmp/assay-store-XXXXXX";
    return mem_printf("%s/assay.db", mkdtemp(folder));
}

/* Removes the database, its log and its folder. */
static inline void fixture_remove(char *path) {
    static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        char *name = mem_printf("%s%s", path, ends[i]);
        unlink(name);
        mem_free(name);
    }
    *strrchr(path, '/') = '\0';
    rmdir(path);
    mem_free(path);
}

#define FIXTURE_OK(call) \
    do { \
        struct error e_ = {0}; \
        struct error *e = &e_; \
        enum status status_ = (call); \
        ck_assert_msg(status_ == STATUS_OK, "%s", e_.text); \
    } while (0)

static const struct fact fixture_facts[] = {{"cpu", "made up"}, {"cores", "2"}};
static const struct machine_record fixture_machine = {fixture_facts, 2};
static const struct fact fixture_env[] = {{"governor", "performance"}};
static const struct environment_record fixture_environment = {fixture_env, 1};

static inline void fixture_sample(struct store *s, int64_t process, int mask, int block, int index) {
    double scale = fixture_drift[block], wall = fixture_e2e_ns[mask] * scale + 1000 * (index - 2.5);
    int64_t one = (int64_t)1 << 20;
    const struct value_record values[] = {{"e2e_ns", 0, wall},      {"ttft_ns", 0, 20e6 * scale},
                                          {"itl_ns", 1, 5e6},       {"itl_ns", 2, 7e6},
                                          {"itl_ns", one + 1, 6e6}, {"decode_tokens_per_s", 0, 1e9 / 5e6 * (1 + mask)},
                                          {"unknown_ns", 0, NAN}};
    const struct sample_record r = {index,         PHASE_TIMED, 1000000000LL * (block * 10 + mask) + index * 1000,
                                    (int64_t)wall, values,      7};
    FIXTURE_OK(store_sample(s, process, &r, e));
}

static inline void fixture_profile(struct store *s, int64_t process, double scale) {
    const struct ledger_line lines[] = {
        {"team of 2", "prefill", "linear", 30e6 * scale, 4e9, 2e8, 0.5, "f32 matrix", 10},
        {"team of 2", "decode", "linear", 50e6 * scale, 1e9, NAN, 0.8, "read 96 MB", 20},
        {"team of 2", "decode", "attention", 10e6 * scale, NAN, NAN, NAN, NULL, 20},
        {"team of 2", NULL, "idle:dispatch", 6e6 * scale, NAN, NAN, NAN, NULL, -1},
        {"team of 2", NULL, "residual", 4e6 * scale, NAN, NAN, NAN, NULL, -1}};
    const struct ledger_record r = {100e6 * scale, lines, 5, 1, NULL};
    const struct op_line ops[] = {{"decode", "linear", "linear", "cpu", 20, 50e6 * scale, 1e9, 5e8}};
    FIXTURE_OK(store_ledger(s, process, 0, &r, e));
    FIXTURE_OK(store_ops(s, process, 0, ops, 1, e));
}

static inline void fixture_findings(struct store *s, const struct id *run, int mask) {
    const struct fidelity_record fidelity = {FIDELITY_REORDERED, 1e-6, 9e-7, 1.8e-6, 1, "64 positions"};
    const struct quality_record quality = {"nll", "nats/token", 2.5 + mask, 99, NULL};
    const struct memory_record memory[] = {{"weights", 5e8}, {"peak_resident", 7e8}};
    const struct perturbation_record perturbation = {1.01, 1.005, NAN, 1.4};
    const struct output_record output = {0, "[1, 2, 3]", "Hello | world"};
    const struct receipt_record receipts[] = {{"attention", "", RECEIPT_ENGAGED, "30 of 30 chains"},
                                              {"fusion", "norm", RECEIPT_NO_OP, NULL}};
    FIXTURE_OK(store_fidelity(s, run, &fidelity, e));
    FIXTURE_OK(store_quality(s, run, &quality, e));
    FIXTURE_OK(store_memory(s, run, &memory[0], e));
    FIXTURE_OK(store_memory(s, run, &memory[1], e));
    FIXTURE_OK(store_perturbation(s, run, &perturbation, e));
    FIXTURE_OK(store_output(s, run, &output, e));
    for (int f = 0; f < 2; f++)
        if (mask >> f & 1) FIXTURE_OK(store_receipt(s, run, &receipts[f], e));
}

static inline void fixture_begin(struct store *s) {
    static const char *const factors[] = {"attention", "fusion=norm"};
    static const char *const labels[] = {"plain", "attention", "fusion", "attention+fusion"};
    struct id x = fixture_id(fixture_experiment);
    const struct experiment_record r = {x, "made up", "llm", "full", "{\"a\": 1}", 7, 2, factors, FIXTURE_BLOCKS, 1000};
    FIXTURE_OK(store_experiment_begin(s, &r, e));
    for (int i = 0; i < FIXTURE_CELLS; i++) {
        const struct cell_record cell = {i, (uint32_t)i, labels[i], "{\"batch\": \"8\"}"};
        const struct run_record run = {
            .id = fixture_id(fixture_runs[i]), .experiment = x, .cell = i, .workload = "llm", .model = "tiny",
            .backend = "null", .dtype = "bf16", .scenario = "single", .label = labels[i], .spec_json = "{\"seed\":7}",
            .spec_hash = 255, .comparability = 16, .comparability_json = "{\"dtype\": \"bf16\", \"isa\": \"avx2\"}",
            .is_synthetic = 1, .truncated_layers = 2, .created_unix_ns = 2000 + i};
        FIXTURE_OK(store_cell(s, &x, &cell, e));
        FIXTURE_OK(store_run_begin(s, &run, &fixture_machine, &fixture_environment, e));
    }
}

/* The run of a mask becomes a lossy one of too low a quality; its state stays. */
static inline void fixture_past_bound(struct store *s, int mask) {
    struct id run = fixture_id(fixture_runs[mask]);
    const struct fidelity_record fidelity = {FIDELITY_LOSSY, 0.5, 0.01, 0.4, 0, "64 positions"};
    FIXTURE_OK(store_fidelity(s, &run, &fidelity, e));
}

/* The whole experiment; runs end as ok. */
static inline void fixture_fill(struct store *s) {
    fixture_begin(s);
    for (int block = 0; block < FIXTURE_BLOCKS; block++)
        for (int mask = 0; mask < FIXTURE_CELLS; mask++) {
            struct id run = fixture_id(fixture_runs[mask]);
            const struct process_record p = {block, mask, 100 + mask, 3000, 11, 12, -1};
            int64_t process = 0;
            FIXTURE_OK(store_process_begin(s, &run, &p, &process, e));
            for (int i = 0; i < FIXTURE_SAMPLES; i++) fixture_sample(s, process, mask, block, i);
            fixture_profile(s, process, fixture_e2e_ns[mask] / 100e6 * fixture_drift[block]);
            FIXTURE_OK(store_process_finish(s, process, e));
        }
    for (int mask = 0; mask < FIXTURE_CELLS; mask++) {
        struct id run = fixture_id(fixture_runs[mask]);
        fixture_findings(s, &run, mask);
        FIXTURE_OK(store_run_finish(s, &run, mask == 3 ? RUN_NOISY : RUN_OK, mask == 3 ? "steal 3 %" : NULL, e));
    }
    struct id run = fixture_id(fixture_runs[3]);
    FIXTURE_OK(store_warning(s, &run, "steal 3 %", e));
    FIXTURE_OK(store_warning(s, &run, "second", e));
}

#endif
