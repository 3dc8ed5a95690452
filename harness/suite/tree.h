/* tree.h: a YAML file as a tree that knows where each of its values stands.
 *
 * Strict on purpose: one document, no anchors, aliases, tags or merge keys, no key twice, keys are plain words. What a
 * scalar means (a number, a flag) is decided by who reads it: here it is its text. */
#ifndef ASSAY_HARNESS_SUITE_TREE_H
#define ASSAY_HARNESS_SUITE_TREE_H

#include "kernels/base/memory.h"
#include "kernels/base/status.h"

enum node_kind { NODE_TEXT, NODE_LIST, NODE_MAP };

struct node {
    enum node_kind kind;
    int line, column;              /* from 1; a column counts characters */
    const char *text;              /* of a NODE_TEXT */
    int is_plain;                  /* written without quotes */
    struct node *items;            /* (n) of a list; of a map: its values */
    struct node *keys;             /* (n) of a map */
    size_t n, item_capacity, key_capacity;
};

struct tree {
    const char *file;              /* for messages; borrowed */
    struct node root;
    struct arena arena;
};

/* Bytes as a tree. Errors: INPUT "FILE:LINE:COLUMN: what is wrong there". */
enum status tree_parse(const char *file, const char *bytes, size_t length, struct tree *out, struct error *e);
/* A file of at most 1 MiB. Errors also: IO. */
enum status tree_read(const char *file, struct tree *out, struct error *e);
void tree_free(struct tree *t);

/* An INPUT error that begins with where `at` stands. */
enum status tree_error(const struct tree *t, const struct node *at, struct error *e, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Puts where `at` stands before an error of another reader. */
enum status tree_blame(const struct tree *t, const struct node *at, struct error *e);

/* The value of a key; NULL where the map has none, or is none. */
const struct node *tree_find(const struct node *map, const char *key);

#endif
