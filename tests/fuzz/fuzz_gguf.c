/* One GGUF file from bytes: metadata, arrays, tensors. */
#include "tests/fuzz/fuzz_checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_arrays(const struct checkpoint *c) {
    static const char *const keys[] = {"s", "f", "i", "tokenizer.ggml.tokens", "tokenizer.ggml.scores"};
    volatile uint8_t sink = 0;
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
        const struct gguf_string *strings;
        const float *floats;
        const int32_t *ints;
        size_t n;
        if (gguf_string_array(c->gguf, keys[k], &strings, &n))
            for (size_t i = 0; i < n; i++)
                for (size_t j = 0; j < strings[i].length; j++) sink = (uint8_t)(sink + strings[i].data[j]);
        if (gguf_f32_array(c->gguf, keys[k], &floats, &n) && n) sink = floats[n - 1] > 0;
        if (gguf_i32_array(c->gguf, keys[k], &ints, &n) && n) sink = ints[n - 1] > 0;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct checkpoint c = {.path = "fuzz.gguf"};
    struct source s = {.file = c.path, .data = data, .size = size};
    struct error e = {0};
    enum status status = gguf_parse(&c, &s, &e);
    if (status == STATUS_OK) status = tensors_sort(&c, &e);
    if (status == STATUS_OK) {
        fuzz_read_tensors(&c);
        read_arrays(&c);
        char *text = json_dumps(c.config, 0);
        if (!text) abort(); /* what we took must be exportable */
        free(text);
    }
    fuzz_check_error(status, &e);
    checkpoint_close(&c);
    return 0;
}
