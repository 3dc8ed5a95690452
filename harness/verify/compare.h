/* compare.h: a folder of the golden form, what we computed of it, and the table of both (private to verify/). */
#ifndef ASSAY_HARNESS_VERIFY_COMPARE_H
#define ASSAY_HARNESS_VERIFY_COMPARE_H

#include <jansson.h>
#include <stdio.h>

#include "kernels/base/memory.h"
#include "workloads/checkpoint/checkpoint.h"

/* ---- the reference ---- */

struct reference {
    struct checkpoint tensors;   /* expected.safetensors */
    json_t *facts;               /* expected.json */
    const char *folder;
};
/* Errors: INPUT no such folder, or expected.json is missing or damaged; what safetensors_open says. Close it either way. */
enum status reference_open(const char *folder, struct reference *r, struct error *e);
void reference_close(struct reference *r);

/* Visits the folder where it holds expected.json, else each folder in it that does, by name; the first error ends it. `kind`:
 * what is verified ("traces"), for errors. Errors: INPUT no such folder, or none that holds expected.json. */
typedef enum status (*reference_visit)(void *context, const char *folder, struct error *e);
enum status reference_each(const char *folder, const char *kind, reference_visit visit, void *context, struct error *e);
/* The last part of the path: what the case is called. */
const char *reference_name(const char *folder);

/* ---- what we computed, under the reference's names; arena-owned ---- */

struct computed {
    const char *name;
    enum dtype dtype;            /* F32, I32 or U8 */
    int n_dims;
    int64_t dims[4];
    void *data;
};
struct computed_list {
    struct computed *items;
    size_t count, capacity;
    struct arena arena;
};
struct computed *computed_add(struct computed_list *l, enum dtype t, const char *name, int n_dims, const int64_t *dims);
const struct computed *computed_find(const struct computed_list *l, const char *name);
void computed_free(struct computed_list *l);
int computed_has_shape(const struct computed *c, const struct checkpoint_tensor *t);
int64_t computed_elements(const struct computed *c);

/* Every item to a safetensors file. */
enum status computed_write(const struct computed_list *l, const char *path, struct error *e);

/* ---- the table ---- */

struct compare_row {
    const char *name, *verdict, *detail;
    char shape[64];
    double largest, rms, tolerance_largest, tolerance_rms; /* NaN: none; infinite: any */
    int is_failed;
};
struct compare_table {
    struct compare_row *rows;
    size_t count, capacity;
    struct arena arena;
};
/* Numbers begin as NaN, the detail empty. The row stays where it is until the next one. */
struct compare_row *compare_row_add(struct compare_table *t, const char *name);
void compare_shape(struct compare_row *r, int n_dims, const int64_t *dims);
void compare_verdict(struct compare_row *r, int is_judged, int is_ok);
void compare_failure(struct compare_row *r, const char *detail);

/* Sets the row's largest and rms error; NaN counts as largest. Returns the reference's own largest and rms. */
struct compare_size {
    double largest, rms;
};
struct compare_size compare_reals(struct compare_row *r, const float *want, const float *have, int64_t n);

int compare_failures(const struct compare_table *t);
void compare_print(const struct compare_table *t, FILE *out);
json_t *compare_json(const struct compare_table *t); /* a list, a row an object */
void compare_free(struct compare_table *t);

#endif
