/* Traces of the PyTorch profiler: what is read from good ones, and the one clear error of each bad one. */
#include "check_main.h"
#include "harness/import/decimal.h"
#include "harness/import/import.h"

#include <string.h>
#include <unistd.h>
#include <zlib.h>

static char path[] = "/tmp/assay-test-XXXXXX";
__attribute__((constructor)) static void before(void) { close(mkstemp(path)); }
__attribute__((destructor)) static void after(void) { unlink(path); }

static void write_trace(const char *bytes, size_t n) {
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(bytes, 1, n, f), n);
    fclose(f);
}

static enum status read_trace(const char *text, struct imported *out, struct error *e) {
    write_trace(text, strlen(text));
    *e = (struct error){0};
    return importer_pytorch.read(path, NULL, out, e);
}

static void read_good(const char *text, struct imported *out) {
    struct error e;
    ck_assert_msg(read_trace(text, out, &e) == STATUS_OK, "%s", e.text);
}

#define KERNEL "{\"ph\":\"X\",\"cat\":\"kernel\",\"name\":\"k\",\"pid\":0,\"tid\":7,\"ts\":1.5,\"dur\":2,\"args\":{\"device\":0,\"stream\":7,\"correlation\":3}}"
#define TRACE(events) "{\"traceEvents\":[" events "]}"

/* ---- numbers ---- */

START_TEST(microseconds_are_exact) {
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {{"1419247332972.313", 1419247332972313},
                {"68.0", 68000},
                {"0", 0},
                {"-0.5", -500},
                {"1712867402348289", 1712867402348289000},
                {"0.0005", 0},
                {"0.0015", 2},
                {"0.0025", 2},
                {"0.00251", 3},
                {"1e3", 1000000},
                {"12.5E-1", 1250},
                {"+7", 7000},
                {"00012.5", 12500},
                {"9007199254740993.001", 9007199254740993001},
                {"0.000000000000000000000000000001", 0},
                {"5.", 5000}};
    static const char *const bad[] = {"",      "-",  ".",      "1x",   "abc", "1e", "1e99", "99999999999999999999", "9223372036854775.808",
                                      "1.2.3", " 1", "1e2000", "0x10", "NaN"};
    int64_t ns;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        ck_assert_msg(decimal_ns(good[i].text, &ns), "%s", good[i].text);
        ck_assert_msg(ns == good[i].ns, "%s is %lld", good[i].text, (long long)ns);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) ck_assert_msg(!decimal_ns(bad[i], &ns), "%s", bad[i]);
    ck_assert_int_eq(decimal_whole("42.000", &ns), 1);
    ck_assert_int_eq(ns, 42);
    ck_assert_int_eq(decimal_whole("42.5", &ns), 0);
    ck_assert_int_eq(decimal_whole("0.5", &ns), 0);
    ck_assert_int_eq(decimal_whole("9223372036854775807", &ns), 1);
}
END_TEST

/* ---- what is read ---- */

START_TEST(rows_are_those_of_the_categories) {
    struct imported x;
    read_good(TRACE(KERNEL
        ",{\"ph\":\"X\",\"cat\":\"gpu_memcpy\",\"name\":\"Memcpy HtoD\",\"ts\":\"10\",\"dur\":\"68.0\",\"args\":{\"device\":\"1\",\"stream\":\"9\",\"correlation\":\"12\",\"bytes\":\"4096\"}}"
        ",{\"args\":{\"correlation\":0,\"device\":0,\"stream\":1},\"dur\":1,\"ts\":100,\"name\":\"Memset\",\"cat\":\"Memset\",\"ph\":\"X\"}"
        ",{\"ph\":\"X\",\"cat\":\"cuda_runtime\",\"name\":\"cudaDeviceSynchronize\",\"pid\":1,\"tid\":\"2\",\"ts\":0,\"dur\":1.25,\"args\":{\"correlation\":3}}"
        ",{\"ph\":\"X\",\"cat\":\"cuda_driver\",\"name\":\"cuGraphLaunch\",\"pid\":1,\"tid\":2,\"ts\":2,\"dur\":1,\"args\":{}}"
        ",{\"ph\":\"X\",\"cat\":\"user_annotation\",\"name\":\"step \\u00e9\\ud83d\\ude00\\n\",\"pid\":1,\"tid\":-5,\"ts\":0,\"dur\":9}"
        ",{\"ph\":\"X\",\"cat\":\"gpu_user_annotation\",\"name\":\"no\",\"ts\":0,\"dur\":9,\"args\":{\"stream\":7}}"
        ",{\"ph\":\"s\",\"cat\":\"ac2g\",\"id\":3,\"ts\":0},{\"ph\":\"X\",\"cat\":\"cpu_op\",\"ts\":1,\"dur\":NaN,\"args\":[1,{\"a\":[]}]},7"), &x);
    const struct activity *a = &x.activity;
    ck_assert_uint_eq(a->n_ops, 3);
    ck_assert_uint_eq(a->n_calls, 2);
    ck_assert_uint_eq(a->n_ranges, 1);
    ck_assert_int_eq(a->ops[0].start_ns, 1500);
    ck_assert_int_eq(a->ops[0].end_ns, 3500);
    ck_assert_int_eq(a->ops[1].bytes, 4096);
    ck_assert_int_eq(a->ops[1].device, 1);
    ck_assert_int_eq(a->ops[1].correlation, 12);
    ck_assert_int_eq(a->ops[1].kind, ACTIVITY_COPY);
    ck_assert_int_eq(a->ops[2].correlation, -1);
    ck_assert_int_eq(a->ops[2].kind, ACTIVITY_SET);
    ck_assert_int_eq(a->calls[0].is_blocking, 1);
    ck_assert_int_eq(a->calls[1].is_graph_launch, 1);
    ck_assert_int_eq(a->calls[0].thread, a->calls[1].thread); /* "2" and 2 */
    ck_assert_int_ne(a->calls[0].thread, a->ranges[0].thread);
    ck_assert_str_eq(a->names[a->ranges[0].name], "step \xc3\xa9\xf0\x9f\x98\x80 ");
    imported_free(&x);
}
END_TEST

START_TEST(facts_are_those_of_the_file) {
    struct imported x;
    read_good(
        "{\"baseTimeNanoseconds\":1700000000000000000,\"deviceProperties\":[{\"name\":\"G\"},{\"name\":\"G\"},{\"name\":\"H\"}],\"distributedInfo\":{\"rank\":3,\"x\":{}},"
        "\"INFO\":[\"CUPTI stopped early? = 1\"],\"cuda_driver_version\":12090,\"metadata\":{\"deep\":[{\"er\":null}]},\"traceEvents\":[" KERNEL "]}",
        &x);
    ck_assert_str_eq(x.machine[0].value, "2 x G, H");
    ck_assert_int_eq(x.rank, 3);
    ck_assert_int_eq(x.recorded_unix_ns, 1700000000000001500);
    ck_assert_str_ne(x.activity.integrity.reason, "");
    imported_free(&x);
    read_good("[" KERNEL "]", &x); /* the other form: a bare list */
    ck_assert_str_eq(x.machine[0].value, "not recorded");
    ck_assert_int_eq(x.recorded_unix_ns, -1);
    imported_free(&x);
}
END_TEST

START_TEST(an_event_without_a_time_is_counted) {
    struct imported x;
    read_good(TRACE(KERNEL ",{\"ph\":\"X\",\"cat\":\"kernel\",\"name\":\"lost\",\"dur\":1},{\"ph\":\"X\",\"cat\":\"kernel\",\"ts\":null}"), &x);
    ck_assert_uint_eq(x.activity.n_ops, 1);
    ck_assert_int_eq(x.activity.integrity.untimed, 2);
    imported_free(&x);
}
END_TEST

/* ---- what is wrong ---- */

START_TEST(bad_traces_have_one_clear_error) {
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"", "byte 0: the file ends here, in the middle of the JSON; it was cut short"},
        {"hello", "byte 0: this is no trace: it begins with neither { nor ["},
        {"{}", "ends without traceEvents"},
        {TRACE(""), "holds no device operation (0 host calls, 0 ranges, 0 operations without times)"},
        {TRACE(KERNEL) "x", "byte 134: something follows the end of the JSON"},
        {"{\"traceEvents\":[" KERNEL, "byte 132: the file ends here"},
        {"{\"traceEvents\":[" KERNEL "}", "byte 132: a comma or ] was expected"},
        {"{\"traceEvents\":[{\"ph\":\"X", "byte 24: the file ends here"},
        {"{\"traceEvents\":[{\"ph\" 1}]}", "byte 22: a colon was expected"},
        {"{\"traceEvents\":[{ph:1}]}", "byte 17: a key in quotes was expected"},
        {"{\"traceEvents\":[{\"a\":01}]}", "byte 23: before it stands neither a number nor true, false or null"},
        {"{\"traceEvents\":[{\"a\":tru}]}", "byte 24: before it stands neither"},
        {"{\"traceEvents\":[{\"a\":\"\\q\"}]}", "byte 24: unknown escape in a string"},
        {"{\"traceEvents\":[{\"a\":\"\\u12g4\"}]}", "byte 27: \\u wants four hexadecimal digits"},
        {"{\"traceEvents\":[{\"a\":}]}", "byte 21: a value was expected"},
        {"{\"traceEvents\":[{\"a\":1,}]}", "byte 23: a key in quotes was expected"},
        {"{\"traceEvents\":7}", "a list was expected"},
        {TRACE("{\"ph\":\"X\",\"cat\":\"kernel\",\"name\":\"k\",\"ts\":5,\"dur\":-1}"), "the kernel event 'k' before: it ends before it starts"},
        {TRACE("{\"ph\":\"X\",\"cat\":\"kernel\",\"name\":\"k\",\"ts\":1e300}"), "a time that is no number of microseconds"},
        {TRACE("{\"ph\":\"X\",\"cat\":\"kernel\",\"name\":\"k\",\"ts\":\"soon\"}"), "a time that is no number of microseconds"},
        {TRACE("{\"ph\":\"X\",\"cat\":\"kernel\",\"name\":\"k\",\"ts\":9000000000000000}"), "its time is not one that a clock can have"},
        {TRACE(KERNEL ",{\"ph\":\"X\",\"cat\":\"kernel\",\"name\":\"k\",\"ts\":1700000000000000}"), "operations lie 19676 days apart"},
        {TRACE("{\"ph\":\"X\",\"cat\":\"gpu_memcpy\",\"name\":\"k\",\"ts\":5,\"args\":{\"bytes\":-7}}"), "an impossible number of bytes"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct imported x;
        struct error e;
        enum status s = read_trace(cases[i].text, &x, &e);
        ck_assert_msg(s == STATUS_INPUT, "case %zu: %s", i, e.text);
        ck_assert_msg(strstr(e.text, cases[i].words) != NULL && strstr(e.text, path) != NULL, "case %zu: %s", i, e.text);
    }
}
END_TEST

START_TEST(nesting_is_bounded) {
    struct imported x;
    struct error e;
    struct text t = {0};
    text_append(&t, "{\"metadata\":");
    for (int i = 0; i < 100000; i++) text_append(&t, "[");
    ck_assert_int_eq(read_trace(t.data, &x, &e), STATUS_INPUT);
    ck_assert_ptr_nonnull(strstr(e.text, "nested more than 256 deep"));
    text_free(&t);
}
END_TEST

START_TEST(long_texts_are_bounded_where_they_are_kept) {
    struct imported x;
    struct error e;
    struct text t = {0};
    enum { LONG = 3 << 20 };
    char *blob = mem_alloc(LONG + 1);
    memset(blob, 'x', LONG);
    text_append(&t, "{\"metadata\":\"%s\",\"traceEvents\":[" KERNEL "]}", blob);
    read_good(t.data, &x); /* skipped: of any length */
    imported_free(&x);
    t.length = 0;
    text_append(&t, "{\"traceEvents\":[{\"name\":\"%s\"}]}", blob);
    ck_assert_int_eq(read_trace(t.data, &x, &e), STATUS_INPUT);
    ck_assert_ptr_nonnull(strstr(e.text, "more than 1 MiB"));
    mem_free(blob);
    text_free(&t);
}
END_TEST

static size_t pack(const char *text, unsigned char *to, size_t room) {
    z_stream z = {0};
    ck_assert_int_eq(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (unsigned char *)(uintptr_t)text;
    z.avail_in = (unsigned)strlen(text);
    z.next_out = to;
    z.avail_out = (unsigned)room;
    ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return z.total_out;
}

START_TEST(gzip_is_seen_from_its_bytes) {
    unsigned char packed[4096];
    struct imported x;
    struct error e = {0};
    size_t n = pack(TRACE(KERNEL), packed, sizeof packed);
    write_trace((char *)packed, n);
    ck_assert_msg(importer_pytorch.read(path, NULL, &x, &e) == STATUS_OK, "%s", e.text);
    ck_assert_uint_eq(x.activity.n_ops, 1);
    imported_free(&x);
    for (size_t cut = 20; cut < n; cut += 7) {
        e = (struct error){0};
        write_trace((char *)packed, cut);
        ck_assert_int_eq(importer_pytorch.read(path, NULL, &x, &e), STATUS_INPUT);
        ck_assert_msg(strstr(e.text, "cut short") != NULL, "cut at %zu: %s", cut, e.text);
    }
    packed[n - 6] ^= 1; /* the checksum */
    e = (struct error){0};
    write_trace((char *)packed, n);
    ck_assert_int_eq(importer_pytorch.read(path, NULL, &x, &e), STATUS_INPUT);
    ck_assert_msg(strstr(e.text, "the gzip data is damaged") != NULL, "%s", e.text);
}
END_TEST

START_TEST(what_is_no_file_is_said) {
    struct imported x;
    struct error e = {0};
    ck_assert_int_eq(importer_pytorch.read("/nonexistent/trace.json", NULL, &x, &e), STATUS_IO);
    ck_assert_ptr_nonnull(strstr(e.text, "No such file"));
    e = (struct error){0};
    ck_assert_int_eq(importer_pytorch.read("/tmp", NULL, &x, &e), STATUS_IO);
    ck_assert_ptr_nonnull(strstr(e.text, "not a regular file"));
}
END_TEST

TEST_MAIN("import_pytorch", microseconds_are_exact, rows_are_those_of_the_categories, facts_are_those_of_the_file, an_event_without_a_time_is_counted,
          bad_traces_have_one_clear_error, nesting_is_bounded, long_texts_are_bounded_where_they_are_kept, gzip_is_seen_from_its_bytes,
          what_is_no_file_is_said)
