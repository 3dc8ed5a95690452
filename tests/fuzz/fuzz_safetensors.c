/* One safetensors file from bytes: as they are, and once more with a right header length put before them (the
 * header ends at the last brace), since mutations seldom keep the two in step. */
#include "tests/fuzz/fuzz_checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse(const uint8_t *data, size_t size) {
    struct checkpoint c = {.path = "fuzz.safetensors"};
    struct source s = {.file = c.path, .data = data, .size = size};
    struct error e = {0};
    enum status status = safetensors_parse(&c, &s, &e);
    if (status == STATUS_OK) status = tensors_sort(&c, &e);
    if (status == STATUS_OK) fuzz_read_tensors(&c);
    fuzz_check_error(status, &e);
    checkpoint_close(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    parse(data, size);
    uint64_t length = size;
    while (length > 0 && data[length - 1] != '}') length--;
    if (length == 0) return 0;
    uint8_t *file = mem_alloc(sizeof length + size);
    memcpy(file, &length, sizeof length);
    memcpy(file + sizeof length, data, size);
    parse(file, sizeof length + size);
    mem_free(file);
    return 0;
}
