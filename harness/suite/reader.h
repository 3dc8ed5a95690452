/* reader.h: typed values of a tree, with words for whoever wrote them (private to suite/).
 *
 * Every error begins with FILE:LINE:COLUMN and says what is allowed there. Text in the arena lives as long as it. */
#ifndef ASSAY_HARNESS_SUITE_READER_H
#define ASSAY_HARNESS_SUITE_READER_H

#include "harness/suite/tree.h"

struct reader {
    const struct tree *tree;
    struct arena *arena;
    const char *folder;            /* of the suite's file: ${SUITE_FOLDER} */
    struct error *e;
};

/* A map with no other keys than these (ended by NULL). */
enum status reader_keys(struct reader *r, const struct node *map, const char *what, const char *const *allowed);
/* The value of a key that must be there. */
enum status reader_need(struct reader *r, const struct node *map, const char *key, const struct node **out);
int reader_is_null(const struct node *n);
/* A text with something in it. `key` names it in errors. */
enum status reader_text(struct reader *r, const struct node *n, const char *key, const char **out);
enum status reader_whole(struct reader *r, const struct node *n, const char *key, int64_t low, int64_t high, int64_t *out);
/* Above 0, at most `high`. */
enum status reader_positive(struct reader *r, const struct node *n, const char *key, double high, double *out);
enum status reader_list(struct reader *r, const struct node *n, const char *key, const char *of);

/* A text with its variables put in: ${NAME}, ${NAME:-otherwise}; $${ is ${. Where one is not set (or empty) the text is
 * NULL, and *missing, if it was NULL, says which. */
enum status reader_expand(struct reader *r, const struct node *n, const char *key, const char **out, const char **missing);

#endif
