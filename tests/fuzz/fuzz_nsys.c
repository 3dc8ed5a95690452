/* Arbitrary bytes as an export of Nsight Systems. */
#include "tests/fuzz/fuzz_trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_file(&importer_nsys, data, size);
    return 0;
}
