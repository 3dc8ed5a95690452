/* The choice of a unit: measured once, remembered, and what is remembered is what decides. */
#include <math.h>
#include <string.h>

#include "check_main.h"
#include "kernels/backend.h"
#include "kernels/cpu/units.h"

/* A memory of one table; `told` are answers put there beforehand. */
struct table {
    struct unit_memory memory;
    struct { char key[128]; double ns[4]; int n; } kept[8];
    int n, finds;
    const double *told;
};

static int find(void *self, const char *key, double *ns, int n) {
    struct table *t = self;
    t->finds++;
    if (t->told) return memcpy(ns, t->told, (size_t)n * sizeof *ns), 1;
    for (int i = 0; i < t->n; i++)
        if (strcmp(t->kept[i].key, key) == 0 && t->kept[i].n == n) return memcpy(ns, t->kept[i].ns, (size_t)n * sizeof *ns), 1;
    return 0;
}

static void keep(void *self, const char *key, const double *ns, int n) {
    struct table *t = self;
    ck_assert_int_lt(t->n, 8);
    snprintf(t->kept[t->n].key, sizeof t->kept[t->n].key, "%s", key);
    memcpy(t->kept[t->n].ns, ns, (size_t)n * sizeof *ns);
    t->kept[t->n++].n = n;
}

static struct units begin(struct table *t) {
    struct units u;
    t->memory = (struct unit_memory){find, keep, t};
    units_begin(&u, isa_table(isa_best()), isa_best(), &t->memory);
    return u;
}

START_TEST(what_is_measured_is_kept_and_not_measured_again) {
    struct table t = {.n = 0};
    struct units first = begin(&t);
    ck_assert_str_eq(units_describe(&first, DTYPE_F32, ROWS_HUNDREDS), "not measured yet");
    ck_assert_int_eq(t.n, 0);
    enum unit f32 = units_of(&first, DTYPE_F32, ROWS_HUNDREDS), bf16 = units_of(&first, DTYPE_BF16, ROWS_HUNDREDS);
    ck_assert_int_eq(t.n, 2); /* the second asks for the first, which is known by then */
    ck_assert(f32 == UNIT_PANELS || f32 == UNIT_LIBRARY);
    ck_assert_int_ne((int)bf16, (int)UNIT_UNKNOWN);
    for (int i = 0; i < t.n; i++) {
        ck_assert_int_eq(t.kept[i].n, i ? 4 : 2);
        for (int k = 0; k < t.kept[i].n; k++) ck_assert_msg(isnan(t.kept[i].ns[k]) || t.kept[i].ns[k] > 1000, "%s: %g", t.kept[i].key, t.kept[i].ns[k]);
        ck_assert_msg(!isnan(t.kept[i].ns[i ? 2 : 0]), "f32 can always be had");
    }
    struct units second = begin(&t);
    ck_assert_int_eq((int)units_of(&second, DTYPE_F32, ROWS_HUNDREDS), (int)f32);
    ck_assert_int_eq((int)units_of(&second, DTYPE_BF16, ROWS_HUNDREDS), (int)bf16);
    ck_assert_int_eq(t.n, 2);
    int finds = t.finds;
    units_of(&second, DTYPE_F32, ROWS_HUNDREDS);
    ck_assert_int_eq(t.finds, finds); /* it need not ask twice */
}
END_TEST

START_TEST(the_shortest_time_decides) {
    static const double panels[] = {1, 2, 3, 4}, library[] = {2, 1, 3, NAN}, wide[] = {NAN, 2, 1, 3}, halves[] = {2, 1, 3, 0.5};
    static const struct { const double *told; enum unit f32, bf16; const char *says; } cases[] = {
        {panels, UNIT_PANELS, UNIT_PANELS, "panels"}, {library, UNIT_LIBRARY, UNIT_LIBRARY, "oneDNN"}, {wide, UNIT_LIBRARY, UNIT_F32, "f32"}, {halves, UNIT_LIBRARY, UNIT_HALVES, "FP16"}};
    for (int i = 0; i < 4; i++) {
        struct table t = {.told = cases[i].told};
        struct units u = begin(&t);
        ck_assert_int_eq((int)units_of(&u, DTYPE_F32, ROWS_TENS), (int)cases[i].f32);
        ck_assert_int_eq((int)units_of(&u, DTYPE_BF16, ROWS_TENS), (int)cases[i].bf16);
        ck_assert_ptr_nonnull(strstr(units_describe(&u, DTYPE_BF16, ROWS_TENS), cases[i].says));
        ck_assert_int_eq(t.n, 0);
    }
}
END_TEST

START_TEST(without_a_memory_it_measures) {
    struct units u;
    units_begin(&u, isa_table(ISA_LEVEL_PLAIN), ISA_LEVEL_PLAIN, NULL);
    ck_assert_int_ne((int)units_of(&u, DTYPE_F32, ROWS_TENS), (int)UNIT_UNKNOWN);
    ck_assert_int_eq((int)units_of(&u, DTYPE_BF16, ROWS_TENS), (int)UNIT_F32); /* this level has no unit for bf16 */
}
END_TEST

START_TEST(codes_go_to_vectors_where_there_is_nothing_else) {
    struct table t = {.n = 0};
    struct units u = begin(&t);
    if (u.has_byte_tiles) return;
    ck_assert_int_eq((int)units_of(&u, DTYPE_I8, ROWS_TENS), (int)UNIT_VECTORS);
    ck_assert_int_eq(t.finds, 0);
}
END_TEST

TEST_MAIN("kernels.cpu_units", codes_go_to_vectors_where_there_is_nothing_else, what_is_measured_is_kept_and_not_measured_again, the_shortest_time_decides, without_a_memory_it_measures)
