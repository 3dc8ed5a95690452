/* options.h: the one table of options. A row gives a name, its kind, default, help, where it applies, and whether
 * it may hold a list (an axis). The parser, the environment variables (ASSAY_NAME), the configuration file's keys,
 * --help and the README's table all come from it. */
#ifndef ASSAY_HARNESS_SPEC_OPTIONS_H
#define ASSAY_HARNESS_SPEC_OPTIONS_H

#include <stdio.h>

#include "kernels/base/memory.h"
#include "kernels/base/status.h"

enum option_kind { OPTION_TEXT, OPTION_INT, OPTION_REAL, OPTION_FLAG, OPTION_LIST };

/* Which commands take an option: bits. */
enum {
    FOR_SPEC = 1,        /* run, experiment: what is measured (part of the spec) */
    FOR_MEASURE = 2,     /* run, experiment: how it is measured */
    FOR_STORE = 4,       /* whatever opens the database */
    FOR_OUTPUT = 8,      /* whatever prints records */
    FOR_EXPERIMENT = 16,
    FOR_VERIFY = 32,
    FOR_PLOT = 64,
    FOR_REPORT = 128,
    FOR_SHOW = 256,
    FOR_TOKENIZE = 512,
    FOR_COMPARE = 1024,
    FOR_CEILINGS = 2048,
    FOR_IMPORT = 4096,
    FOR_TRACE = 8192,    /* takes a command after "--" */
    FOR_SUITE = 16384,
    FOR_PROTOCOL = 32768, /* no command: the defaults of a suite, beside FOR_SPEC */
    FOR_CONFIG = 65536,  /* run, experiment, show: a spec that may come from a file */
};

/* id, name, kind, axis?, default, commands, value's name, help */
#define OPTION_LIST_TABLE(X) \
    X(MODEL, "model", TEXT, 0, NULL, FOR_SPEC | FOR_VERIFY, "PATH", "checkpoint: a folder, a GGUF file, or a name in the models folder") \
    X(PRESET, "preset", TEXT, 0, NULL, FOR_SPEC, "NAME", "a known shape with synthetic weights (assay list presets)") \
    X(LAYERS, "layers", INT, 1, "0", FOR_SPEC, "N", "cut the model to its first N layers; 0: all") \
    X(BACKEND, "backend", TEXT, 1, "cpu", FOR_SPEC | FOR_VERIFY, "NAME", "cpu, null or reference (assay list backends)") \
    X(DTYPE, "dtype", TEXT, 1, "bf16", FOR_SPEC | FOR_VERIFY, "T", "f32, bf16 or f16: weights, activations and cache") \
    X(THREADS, "threads", INT, 1, "0", FOR_SPEC | FOR_VERIFY | FOR_CEILINGS, "N", "size of the thread team; 0: every core that we may use") \
    X(ISA, "isa", TEXT, 1, NULL, FOR_SPEC | FOR_VERIFY, "LEVEL", "force the instruction set down: plain, avx2, avx512, avx512bf16, amx") \
    X(OPT, "opt", LIST, 0, NULL, FOR_SPEC | FOR_VERIFY, "NAME[=SETTINGS]", "switch an optimizer on; may be repeated") \
    X(SCENARIO, "scenario", TEXT, 0, NULL, FOR_SPEC, "NAME", "single: one request at a time; offline: all at once. Default: by --batch") \
    X(BATCH, "batch", INT, 1, "1", FOR_SPEC, "N", "requests in a job") \
    X(PROMPT, "prompt", INT, 1, "128", FOR_SPEC, "N", "synthetic prompt length in tokens, where no prompt is given") \
    X(GENERATE, "generate", INT, 1, "32", FOR_SPEC, "N", "tokens to generate for each request") \
    X(PROMPT_TEXT, "prompt-text", TEXT, 0, NULL, FOR_SPEC, "TEXT", "the prompt") \
    X(PROMPTS, "prompts", TEXT, 0, NULL, FOR_SPEC, "FILE", "a file of prompts, one a line") \
    X(PROMPT_IDS, "prompt-ids", TEXT, 0, NULL, FOR_SPEC, "IDS", "the prompt as token ids: 1,2,3") \
    X(STOP, "stop", FLAG, 0, "0", FOR_SPEC, NULL, "end requests at the model's stop tokens (default: generate all, so that runs compare)") \
    X(TEMPERATURE, "temperature", REAL, 0, "0", FOR_SPEC, "T", "sampling temperature; 0: greedy") \
    X(TOP_K, "top-k", INT, 0, "0", FOR_SPEC, "K", "sample among the K likeliest; 0: all") \
    X(TOP_P, "top-p", REAL, 0, "1", FOR_SPEC, "P", "sample among the likeliest that hold this share") \
    X(SEED, "seed", INT, 0, "1", FOR_SPEC, "N", "of synthetic weights, prompts, sampling and orders") \
    X(SCORE, "score", TEXT, 0, NULL, FOR_SPEC, "FILE", "add the mean negative log-likelihood of this text to the quality") \
    X(CLOZE, "cloze", TEXT, 0, NULL, FOR_SPEC, "FILE", "add the share of these cloze items that are answered rightly to the quality (JSON lines)") \
    X(PROCESSES, "processes", INT, 0, "3", FOR_MEASURE, "N", "fresh processes a cell (blocks of an experiment): the statistical unit") \
    X(SAMPLES, "samples", INT, 0, "0", FOR_MEASURE | FOR_PROTOCOL, "N", "timed samples a process; 0: until the interval is narrow enough") \
    X(PRECISION, "precision", REAL, 0, "0.02", FOR_MEASURE | FOR_PROTOCOL, "W", "stop sampling when the interval is this narrow, relative") \
    X(BUDGET, "budget", REAL, 0, "60", FOR_MEASURE | FOR_PROTOCOL, "SECONDS", "of timed samples a cell, all processes together") \
    X(PROFILE, "profile", INT, 0, "2", FOR_MEASURE | FOR_PROTOCOL, "N", "profiled samples a process; 0: no attribution") \
    X(NVTX, "nvtx", FLAG, 0, "0", FOR_MEASURE | FOR_PROTOCOL, NULL, "stages and operations as NVTX ranges of the domain assay, for nsys and ncu") \
    X(FIDELITY, "fidelity", FLAG, 0, "1", FOR_MEASURE | FOR_PROTOCOL, NULL, "check results against float64 before measuring (--no-fidelity)") \
    X(BOUND, "bound", REAL, 0, NULL, FOR_MEASURE | FOR_PROTOCOL, "W", "what lossy optimizers may add to the relative error of logits; default: what their settings declare") \
    X(DESIGN, "design", TEXT, 0, "each", FOR_EXPERIMENT, "NAME", "each, leave-one-out or full") \
    X(BLOCKS, "blocks", INT, 0, NULL, FOR_EXPERIMENT, "N", "as --processes") \
    X(ROUNDS, "rounds", INT, 0, NULL, FOR_SUITE, "N", "so many rounds, whatever the file says") \
    X(DRY_RUN, "dry-run", FLAG, 0, "0", FOR_EXPERIMENT | FOR_SUITE, NULL, "print the cells and an estimate of the time, measure nothing") \
    X(RESUME, "resume", FLAG, 0, "0", FOR_EXPERIMENT | FOR_SUITE, NULL, "go on with the interrupted experiment of the same spec") \
    X(NAME, "name", TEXT, 0, NULL, FOR_MEASURE | FOR_IMPORT, "NAME", "a name to find the run or experiment by") \
    X(STAGES, "stages", TEXT, 0, NULL, FOR_IMPORT, "PATTERN", "which ranges are stages: names or globs with commas between; default: all") \
    X(STAGE_DEPTH, "stage-depth", INT, 0, "0", FOR_IMPORT, "N", "ranges nested deeper than N stages belong to the N-th (1: outermost); 0: the innermost counts") \
    X(ITERATION, "iteration", TEXT, 0, NULL, FOR_IMPORT, "NAME", "a range, by name or glob, whose instances are the samples; default: the whole trace is one") \
    X(KEEP, "keep", TEXT, 0, NULL, FOR_TRACE, "FOLDER", "keep the recording there, for assay import recording FOLDER") \
    X(DB, "db", TEXT, 0, "assay.db", FOR_STORE, "FILE", "the database") \
    X(FORMAT, "o", TEXT, 0, NULL, FOR_OUTPUT, "FORMAT|FILE", "md, json, jsonl or csv; plot, report and trace export: the file to write") \
    X(CONFIG, "config", TEXT, 0, NULL, FOR_CONFIG, "FILE", "a JSON object of options by name; the command line wins over it") \
    X(PROGRAM, "program", FLAG, 0, "0", FOR_SHOW, NULL, "print the programs of a spec instead of a run") \
    X(DUMP, "dump", TEXT, 0, NULL, FOR_VERIFY, "FILE", "write what Assay computed as safetensors, under the reference's names") \
    X(DECODE, "decode", FLAG, 0, "0", FOR_TOKENIZE, NULL, "read ids, write text") \
    X(METRIC, "metric", TEXT, 0, "e2e_ns", FOR_COMPARE, "NAME", "what is compared") \
    X(MARGIN, "margin", REAL, 0, "0.02", FOR_COMPARE, "W", "what counts as equivalent, relative") \
    X(ACROSS, "across", TEXT, 0, NULL, FOR_COMPARE, "FACTS", "facts that may differ, e.g. dtype,isa") \
    X(EXPORT_FORMAT, "format", TEXT, 0, "json", FOR_SHOW, "FORMAT", "csv, json, jsonl, md or trace") \
    X(QUICK, "quick", FLAG, 0, "0", FOR_CEILINGS, NULL, "a rough measurement in a few seconds")

enum option_id {
#define X(id, name, kind, axis, fallback, commands, value, help) OPT_##id,
    OPTION_LIST_TABLE(X)
#undef X
    OPTION_COUNT
};

struct option_row {
    const char *name;
    enum option_kind kind;
    int is_axis;
    const char *fallback;
    unsigned commands;
    const char *value, *help;
};
extern const struct option_row option_table[OPTION_COUNT];

enum { OPTION_MAX_REPEATS = 16, OPTION_MAX_ARGS = 64 };
struct options {
    const char *value[OPTION_COUNT];                 /* never NULL where the table has a default */
    const char *list[OPTION_MAX_REPEATS];            /* of --opt */
    int n_list;
    int is_given[OPTION_COUNT];                      /* by the command line, environment or file */
    const char *args[OPTION_MAX_ARGS];               /* what is not an option */
    int n_args;
    char **command;                                  /* FOR_TRACE: argv after "--", as it is; NULL: there is none */
    struct arena arena;
};

/* Reads argv[first..), the environment and --config; only options of `commands` are known.
 * INPUT: unknown option (the nearest is suggested), missing value, not a number. */
enum status options_parse(int argc, char **argv, int first, unsigned commands, struct options *out, struct error *e);
/* One option by name, as the command line would take it; for a list, one more item of it; NULL takes it back. INPUT as
 * above. */
enum status options_set(struct options *o, const char *name, const char *value, unsigned commands, struct error *e);
/* Its row; NULL where no option of `commands` has this name. */
const struct option_row *options_find(const char *name, unsigned commands);
/* The defaults of the table where nothing is given: the last step of a reader. */
void options_fill(struct options *o);
void options_free(struct options *o);
void options_help(unsigned commands, FILE *out);

int64_t option_int(const struct options *o, enum option_id id);
double option_real(const struct options *o, enum option_id id);
int option_flag(const struct options *o, enum option_id id);

/* Expands axes: "1,8,32", "1-4", "512-4096*2", "0-100+25" → items, arena-owned. INPUT: malformed, over 64 items. */
enum { AXIS_MAX = 64 };
enum status axis_expand(const struct option_row *row, const char *text, struct arena *a, const char *items[AXIS_MAX],
                        int *n, struct error *e);

#endif
