/* recipe.h: a weight is an immutable recipe over named leaves, and a source that knows the leaves.
 *
 *   leaf "model.layers.3.self_attn.q_proj.weight"  →  unpermute 32 heads  →  encode int8_row  →  concat …
 *
 * Optimizers of weights edit leaves, so a fused QKV still quantizes Q, K and V apart. The hash of a recipe is
 * its identity: a device prepares it once, whatever number of programs use it. Decoding any rows of any
 * recipe to f32 needs no intermediate copy of the whole, so a model larger than memory can be streamed. */
#ifndef ASSAY_KERNELS_RECIPE_H
#define ASSAY_KERNELS_RECIPE_H

#include "kernels/base/hands.h"
#include "kernels/base/memory.h"
#include "kernels/base/status.h"
#include "kernels/encoding.h"
#include "kernels/prune.h"
#include "kernels/quantize.h"

/* What a source says of one leaf; bytes are borrowed and stay valid while the source is open. */
struct leaf {
    const char *name;
    int64_t rows, cols;               /* a vector is one row */
    const struct encoding *encoding;  /* how `data` is stored */
    const void *data;                 /* NULL: synthetic, rows come from `fill` */
    /* Synthetic rows: y[0..cols) of row r; depends on nothing but (self, name, r). */
    void (*fill)(const void *self, const char *name, int64_t r, float *y, int64_t cols);
    const void *self;
};

struct weight_source {
    void *self;
    int is_synthetic;
    /* INPUT with the name where a leaf is missing. */
    enum status (*find)(void *self, const char *name, struct leaf *out, struct error *e);
};

enum recipe_kind { RECIPE_LEAF, RECIPE_UNPERMUTE, RECIPE_PRUNE, RECIPE_ENCODE, RECIPE_CONCAT };
enum { RECIPE_MAX_PARTS = 4 };

struct recipe {
    enum recipe_kind kind;
    int64_t rows, cols;
    const char *leaf;                 /* LEAF */
    int heads;                        /* UNPERMUTE: rows of each head from interleaved pairs back to halves:
                                         out[h*K + s*K/2 + j] = in[h*K + 2j + s], K = rows / heads */
    const struct encoding *encoding;  /* ENCODE: stored so (or so it lies already: recipe_is_verbatim); elsewhere inherited from the program's type */
    struct quantizer rule;            /* ENCODE into groups: how */
    int input_bits;                   /* ENCODE: each row of x that meets these weights in a product is rounded to so many bits first, with a
                                         scale of its own (encodings/int8_row.c); 8, or 0: it enters as it is */
    int *steps;                       /* of that rule where it is HQQ; 0 until recipe_settle has found them */
    struct pruning pruning;           /* PRUNE: which elements become 0 */
    const float *norm;                /* PRUNE by Wanda: (cols) norms of the inputs; NULL: by magnitude */
    struct pruned *pruned;            /* PRUNE by matrix: what recipe_settle finds of it */
    const struct recipe *parts[RECIPE_MAX_PARTS]; /* CONCAT: stacked by rows; others: parts[0] */
    int n_parts;
    int64_t *kept;                    /* ENCODE without zeros: elements that are stored, once a device has counted them; -1 before */
    int group;                        /* weight group for residency; -1: always resident */
};

const struct recipe *recipe_leaf(struct arena *a, const char *leaf, int64_t rows, int64_t cols);
const struct recipe *recipe_unpermute(struct arena *a, const struct recipe *part, int heads);
const struct recipe *recipe_encode(struct arena *a, const struct recipe *part, const struct encoding *encoding);
const struct recipe *recipe_prune(struct arena *a, const struct recipe *part, const struct pruning *pruning);
/* By Wanda where norm (cols) is given: borrowed, and part of the recipe's identity. */
const struct recipe *recipe_prune_scored(struct arena *a, const struct recipe *part, const struct pruning *pruning, const float *norm);
/* In groups, by a rule. */
const struct recipe *recipe_quantize(struct arena *a, const struct recipe *part, const struct encoding *encoding, const struct quantizer *rule);
/* An ENCODE step whose products round their other operand, too. */
const struct recipe *recipe_round_inputs(struct arena *a, const struct recipe *encoded, int bits);
const struct recipe *recipe_concat(struct arena *a, const struct recipe *const *parts, int n_parts);
const struct recipe *recipe_in_group(struct arena *a, const struct recipe *part, int group);

/* ENCODE in an encoding that is read, never written, of a leaf (or of one whose rows are put in order): it must lie so in the source
 * (recipe_check), and its bytes are taken as they are. */
int recipe_is_verbatim(const struct recipe *r);

uint64_t recipe_hash(const struct recipe *r);
/* The first step (itself, then its parts) of which `is_it` is true; NULL where none is. */
const struct recipe *recipe_find(const struct recipe *r, int (*is_it)(const struct recipe *r));
/* Of a row of a stack: input_bits of its part. Whether any part has them. */
int recipe_input_bits(const struct recipe *r, int64_t row);
int recipe_rounds_inputs(const struct recipe *r);
/* The share of elements that its pruning is to drop; 0 without. */
double recipe_pruned_share(const struct recipe *r);
/* Its first leaf: to speak of it by. */
const char *recipe_name(const struct recipe *r);

/* Bytes of the whole as a device stores it: each part in its encoding, else in the dense type `t`. */
double recipe_stored_bytes(const struct recipe *r, enum dtype t);

/* Leaves exist in `source` with the rows and cols that the recipe says; both shapes are named otherwise. */
enum status recipe_check(const struct recipe *r, const struct weight_source *source, struct error *e);

/* Finds what a recipe must know of whole matrices before any of its rows can be had (HQQ's steps, a threshold of scores); to be called before any
 * of the two below, and by one thread. Work: twenty passes over the numbers of such parts, none over others. */
enum status recipe_settle(const struct recipe *r, const struct weight_source *source, const struct hands *hands, struct error *e);

/* Rows first..first+n of the recipe as they are stored: in `as`, which is the recipe's own encoding where it has one, `stride`
 * bytes apart. `scratch`: n · cols floats. INPUT names the tensor, row and column of what cannot be encoded. */
enum status recipe_store(const struct recipe *r, const struct weight_source *source, const struct encoding *as, int64_t first, int64_t n,
                         void *to, size_t stride, float *scratch, struct error *e);

/* y (n, cols) = rows first..first+n of the recipe as f32, after every step (an ENCODE step rounds). */
enum status recipe_decode(const struct recipe *r, const struct weight_source *source, int64_t first, int64_t n,
                          float *y, struct error *e);

/* A run of rows stored in one way. `direct` points at the rows where they already lie in memory in
 * `encoding` and in order (no copy needed), else NULL. */
struct recipe_segment {
    const struct recipe *recipe;      /* of these rows alone */
    int64_t first, rows, cols;
    const struct encoding *encoding;  /* ENCODE's, else NULL: the program's type */
    const struct encoding *stored;    /* of `direct` */
    const void *direct;
};
/* Fills at most RECIPE_MAX_PARTS² segments; returns their number, or 0 with the error. */
enum { RECIPE_MAX_SEGMENTS = 16 };
int recipe_segments(const struct recipe *r, const struct weight_source *source, struct recipe_segment *out,
                    struct error *e);

#endif
