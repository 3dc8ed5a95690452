#include "harness/commands/command.h"
#include "workloads/llm/model.h"
#include "workloads/tokenizer/lines.h"

#include <string.h>

static int is_tokenizer_file(const char *path) {
    size_t n = strlen(path);
    return n > 5 && strcmp(path + n - 5, ".json") == 0;
}

/* A tokenizer.json, a folder that holds one, or any model. */
static enum status open_tokenizer(const char *name, struct checkpoint *c, struct tokenizer **out, struct error *e) {
    struct arena a = {0};
    const char *inside = arena_printf(&a, "%s/tokenizer.json", name), *path = name;
    enum status s;
    if (is_tokenizer_file(name)) s = tokenizer_open_json(name, out, e);
    else if (file_exists(inside)) s = tokenizer_open_json(inside, out, e);
    else {
        if (!file_exists(path)) path = arena_printf(&a, "%s/%s", llm_models_folder(&a), name);
        if (!file_exists(path)) path = arena_printf(&a, "%s.gguf", path);
        if (!file_exists(path)) s = error_set(e, STATUS_INPUT, "no tokenizer in '%s': neither tokenizer.json, a folder with one, nor a GGUF file", name);
        else s = checkpoint_open(path, c, e);
        if (s == STATUS_OK) s = tokenizer_open_gguf(c, out, e);
    }
    arena_free(&a);
    return s;
}

static enum status run(struct options *o, int *exit_code, struct error *e) {
    const char *name;
    struct checkpoint c = {0};
    struct tokenizer *t = NULL;
    *exit_code = EXIT_DONE;
    enum status s = command_argument(o, 0, "whose tokenizer: assay tokenize MODEL", NULL, &name, e);
    if (s == STATUS_OK) s = open_tokenizer(name, &c, &t, e);
    if (s == STATUS_OK) s = tokenize_lines(t, stdin, stdout, option_flag(o, OPT_DECODE), e);
    tokenizer_close(t);
    checkpoint_close(&c);
    return s;
}

const struct command command_tokenize = {"tokenize", "MODEL", "JSON lines of texts to ids (--decode: the reverse), stdin to stdout", FOR_TOKENIZE, run, NULL};
