/* Arbitrary bytes as a tokenizer.json; where they make a tokenizer, a short text goes there and back. */
#include <stdint.h>

#include "workloads/tokenizer/tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char text[] = "Hello w\xC3\xB6rld  123\n\n it's <s>a\xFF\0\xE4\xB8\xAD\xE2\x96\x81 end ";
    struct tokenizer *t = NULL;
    struct error e = {0};
    if (tokenizer_parse_json((const char *)data, size, &t, &e) != STATUS_OK) return 0;
    struct token_list ids = {0};
    struct text back = {0};
    if (tokenizer_encode(t, text, sizeof text - 1, 1, &ids, &e) == STATUS_OK)
        tokenizer_decode(t, ids.ids, ids.count, 0, &back, &e);
    text_free(&back);
    token_list_free(&ids);
    tokenizer_close(t);
    return 0;
}
