/* The recorder with NVIDIA's own libcupti, where it is found: buffers made by hand, walked by the library's iterator. Needs
 * no device, and up to some version no driver. */
#include "check_main.h"
#include "kernels/cuda/library.h"
#include "kernels/cuda/records.c"

static const struct cupti *library;

static const char *no_library(void) {
    static struct error e;
    const char *path;
    library = library_cupti(&path, &e);
    if (!library) return e.text;
    return records_bytes_of(library, CUPTI_RUNTIME) ? NULL : "this version of libcupti walks no buffers where there is no driver (13.0 does)";
}

#define WITH_LIBRARY(name) \
    START_TEST(name) { records_##name(library); } \
    END_TEST
WITH_LIBRARY(each_kind)
WITH_LIBRARY(graphs)
WITH_LIBRARY(trouble)
WITH_LIBRARY(in_any_order)

TEST_MAIN_UNLESS(no_library, "recorder_libcupti", each_kind, graphs, trouble, in_any_order)
