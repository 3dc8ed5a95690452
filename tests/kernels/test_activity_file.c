/* Recordings: what is written is read again, piece by piece; cut ones keep their whole pieces; of damaged ones nothing is
 * believed. */
#include "check_main.h"
#include "kernels/activity_file.h"
#include "kernels/base/file.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static char path[] = "/tmp/assay-test-XXXXXX";
__attribute__((constructor)) static void before(void) { close(mkstemp(path)); }
__attribute__((destructor)) static void after(void) { unlink(path); }

static int32_t name(struct activity *a, const char *text) { return activity_name(a, text, strlen(text)); }

/* ---- two pieces: a kernel, its call, two ranges, one of which ends in the second piece ---- */

static void fill_first(struct activity *a) {
    struct activity_op *op = activity_add_op(a);
    *op = (struct activity_op){.start_ns = 1100, .end_ns = INT64_C(1) << 40, .correlation = 7, .bytes = 12, .owner = UINT64_MAX, .device = 3, .stream = -1,
                               .name = name(a, "gemm"), .kind = ACTIVITY_COPY, .is_in_graph = 1};
    struct activity_call *call = activity_add_call(a);
    *call = (struct activity_call){.start_ns = -5, .end_ns = 6, .correlation = 7, .thread = -9, .name = name(a, "cudaLaunchKernel"), .is_blocking = 1};
    *activity_add_range(a) = (struct activity_range){.start_ns = 1, .end_ns = ACTIVITY_OPEN_NS, .thread = 4, .name = name(a, "outer")};
    *activity_add_range(a) = (struct activity_range){.start_ns = 2, .end_ns = 3, .thread = 4, .name = name(a, "")};
    *activity_add_owner(a) = (struct activity_owner){7, 1 << 24};
    *activity_add_device(a) = (struct activity_device){3, name(a, "GPU Z"), "0123456789abcde"};
    a->integrity.dropped = 2;
}

static void write_recording(void) {
    struct activity a = {0}, b = {0};
    struct error e = {0};
    fill_first(&a);
    const struct activity_fact fact = {name(&a, "pid"), name(&a, "123")};
    const struct activity_end end = {0, 50};
    *activity_add_range(&b) = (struct activity_range){.start_ns = 20, .end_ns = ACTIVITY_OPEN_NS, .name = name(&b, "late")};
    b.integrity = (struct activity_integrity){.dropped = 3, .untimed = 1, .reason = "why"};
    int file = open(path, O_WRONLY | O_TRUNC);
    ck_assert_int_eq(activity_file_begin(file, &e), STATUS_OK);
    ck_assert_int_eq(activity_file_put(file, &(struct activity_piece){.activity = &a, .facts = &fact, .n_facts = 1}, &e), STATUS_OK);
    ck_assert_int_eq(activity_file_put(file, &(struct activity_piece){.activity = &b, .ends = &end, .n_ends = 1, .is_last = 1}, &e), STATUS_OK);
    close(file);
    activity_free(&a);
    activity_free(&b);
}

START_TEST(what_is_written_is_read) {
    struct activity_recording r;
    struct error e = {0};
    write_recording();
    ck_assert_msg(activity_file_read(path, &r, &e) == STATUS_OK, "%s", e.text);
    const struct activity *a = &r.activity;
    ck_assert_int_eq(r.is_whole, 1);
    ck_assert_str_eq(activity_recording_fact(&r, "pid"), "123");
    ck_assert_ptr_null(activity_recording_fact(&r, "pi"));
    ck_assert_uint_eq(a->n_ops, 1);
    ck_assert_int_eq(a->ops[0].end_ns, INT64_C(1) << 40);
    ck_assert_int_eq(a->ops[0].bytes, 12);
    ck_assert_uint_eq(a->ops[0].owner, UINT64_MAX);
    ck_assert_int_eq(a->ops[0].device, 3);
    ck_assert_int_eq(a->ops[0].stream, -1);
    ck_assert_int_eq(a->ops[0].kind, ACTIVITY_COPY);
    ck_assert_int_eq(a->ops[0].is_in_graph, 1);
    ck_assert_int_eq(a->ops[0].call, -1);
    ck_assert_str_eq(a->names[a->ops[0].name], "gemm");
    ck_assert_int_eq(a->calls[0].start_ns, -5);
    ck_assert_int_eq(a->calls[0].thread, -9);
    ck_assert_int_eq(a->calls[0].is_blocking, 1);
    ck_assert_uint_eq(a->n_ranges, 3);
    ck_assert_int_eq(a->ranges[0].end_ns, 50);
    ck_assert_int_eq(a->ranges[1].end_ns, 3);
    ck_assert_int_eq(a->ranges[2].end_ns, INT64_C(1) << 40); /* never ended: until the latest time */
    ck_assert_str_eq(a->names[a->ranges[2].name], "late");
    ck_assert_uint_eq(a->owners[0].owner, 1 << 24);
    ck_assert_mem_eq(a->devices[0].uuid, "0123456789abcde", 16);
    ck_assert_int_eq(a->integrity.dropped, 5);
    ck_assert_int_eq(a->integrity.untimed, 1);
    ck_assert_str_eq(a->integrity.reason, "why");
    activity_recording_free(&r);
}
END_TEST

/* ---- other bytes ---- */

static uint8_t *copy_bytes(size_t *size) {
    struct file_map f;
    struct error e = {0};
    write_recording();
    ck_assert_int_eq(file_map(path, &f, &e), STATUS_OK);
    uint8_t *copy = mem_alloc(f.size);
    memcpy(copy, f.data, *size = f.size);
    file_unmap(&f);
    return copy;
}

static enum status read_bytes(const uint8_t *bytes, size_t size, struct activity_recording *r, struct error *e) {
    int file = open(path, O_WRONLY | O_TRUNC);
    ck_assert_int_eq(write(file, bytes, size), (ssize_t)size);
    close(file);
    *e = (struct error){0};
    return activity_file_read(path, r, e);
}

START_TEST(cut_ones_keep_whole_pieces) {
    size_t size;
    uint8_t *bytes = copy_bytes(&size);
    for (size_t n = 0; n < size; n++) {
        struct activity_recording r;
        struct error e;
        REQUIRE(read_bytes(bytes, n, &r, &e) == STATUS_OK, "cut at %zu: %s", n, e.text);
        REQUIRE(!r.is_whole && (r.activity.n_ranges == 0 || r.activity.n_ranges == 2), "cut at %zu", n);
        activity_recording_free(&r);
    }
    mem_free(bytes);
}
END_TEST

/* Whatever a byte says: an error with its place, or rows within their lists. */
START_TEST(no_byte_is_believed) {
    size_t size, refused = 0;
    uint8_t *bytes = copy_bytes(&size);
    for (size_t i = 0; i < size; i++)
        for (int change = 1; change < 256; change *= 128) {
            struct activity_recording r;
            struct error e;
            bytes[i] ^= (uint8_t)change;
            enum status s = read_bytes(bytes, size, &r, &e);
            bytes[i] ^= (uint8_t)change;
            refused += s != STATUS_OK;
            if (s != STATUS_OK) continue;
            for (size_t k = 0; k < r.activity.n_ops; k++) REQUIRE((size_t)r.activity.ops[k].name < r.activity.n_names, "byte %zu", i);
            activity_recording_free(&r);
        }
    ck_assert_uint_gt(refused, size / 4); /* of 2 changes a byte */
    mem_free(bytes);
}
END_TEST

static void assert_error(const uint8_t *bytes, size_t size, enum status expected, const char *words) {
    struct activity_recording r;
    struct error e;
    ck_assert_int_eq(read_bytes(bytes, size, &r, &e), expected);
    ck_assert_msg(strstr(e.text, words) != NULL, "'%s' lacks '%s'", e.text, words);
}

START_TEST(errors_say_what_and_where) {
    size_t size;
    struct activity_recording r;
    struct error e = {0};
    uint8_t *bytes = copy_bytes(&size);
    ck_assert_int_eq(activity_file_read("/nowhere", &r, &e), STATUS_IO);
    assert_error((const uint8_t *)"SQLite format 3", 15, STATUS_INPUT, "no recording of Assay");
    bytes[8] = 9;
    assert_error(bytes, size, STATUS_UNSUPPORTED, "version 9 of recordings");
    bytes[8] = 1;
    bytes[32] = 0xff; /* the first piece's names */
    bytes[35] = 0xff;
    assert_error(bytes, size, STATUS_INPUT, "byte 40: names: the piece ends before them; the file is damaged");
    mem_free(bytes);
    bytes = copy_bytes(&size);
    uint8_t *twice = mem_alloc(2 * size);
    memcpy(twice, bytes, size);
    memcpy(twice + size, bytes + 16, size - 16);
    assert_error(twice, 2 * size - 16, STATUS_INPUT, "a piece: there is none"); /* after the last */
    mem_free(twice);
    mem_free(bytes);
}
END_TEST

START_TEST(a_full_disk_is_said) {
    struct error e = {0};
    int file = open("/dev/full", O_WRONLY);
    ck_assert_int_eq(activity_file_begin(file, &e), STATUS_IO);
    ck_assert_msg(strstr(e.text, "No space left") != NULL, "%s", e.text);
    close(file);
}
END_TEST

TEST_MAIN("activity_file", what_is_written_is_read, cut_ones_keep_whole_pieces, no_byte_is_believed, errors_say_what_and_where, a_full_disk_is_said)
