/* Arbitrary bytes as a recording of assay trace. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/fuzz/fuzz_trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[64];
    struct imported x;
    struct error e = {0};
    snprintf(path, sizeof path, "/tmp/assay-fuzz-%ld.recording", (long)getpid());
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0) return 0;
    int is_written = write(fd, data, size) == (ssize_t)size;
    close(fd);
    if (is_written) {
        enum status s = importer_recording.read(path, NULL, &x, &e);
        fuzz_check_error(s, &e);
        if (s == STATUS_OK) {
            fuzz_attribute(&x);
            imported_free(&x);
        }
    }
    unlink(path);
    return 0;
}
