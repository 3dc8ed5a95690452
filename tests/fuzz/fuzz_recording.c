/* Arbitrary bytes as a recording of assay trace. */
#include "tests/fuzz/fuzz_trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_file(&importer_recording, data, size);
    return 0;
}
