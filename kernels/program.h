/* program.h: a flat list of operations over named tensors, in the order in which they run.
 *
 * A dim is a number or a symbol (R packed rows, S key positions, B requests). Only inputs and states carry
 * symbols of their own; all other shapes follow by inference. A symbol has a maximum, which comes from the
 * run's spec and sizes the memory plan, and a value for each binding. */
#ifndef ASSAY_KERNELS_PROGRAM_H
#define ASSAY_KERNELS_PROGRAM_H

#include <stdio.h>

#include "kernels/base/memory.h"
#include "kernels/base/status.h"
#include "kernels/op.h"
#include "kernels/recipe.h"
#include "kernels/types.h"

/* Symbols are few and shared by all programs of a pipeline. */
enum symbol { SYMBOL_NONE = -1, SYMBOL_R, SYMBOL_S, SYMBOL_B, SYMBOL_COUNT };
const char *symbol_name(enum symbol s);

struct dim {
    enum symbol symbol;   /* SYMBOL_NONE: a number */
    int64_t size;         /* the number; 0 for a symbol */
};
static inline struct dim dim_of(int64_t size) { return (struct dim){SYMBOL_NONE, size}; }
static inline struct dim dim_symbol(enum symbol s) { return (struct dim){s, 0}; }
static inline int64_t dim_value(struct dim d, const int64_t *symbols) {
    return d.symbol == SYMBOL_NONE ? d.size : symbols[d.symbol];
}

enum storage { STORAGE_WEIGHT, STORAGE_ACTIVATION, STORAGE_STATE, STORAGE_CONSTANT, STORAGE_INPUT, STORAGE_OUTPUT };
const char *storage_name(enum storage s);
enum { TENSOR_MAX_DIMS = 4 };

struct tensor {
    const char *name;
    enum dtype dtype;              /* of a weight: the type that its recipe is stored in unless it encodes; of an encoded
                                    * state: that of what is written to it */
    enum storage storage;
    int n_dims;
    struct dim dims[TENSOR_MAX_DIMS];
    const struct recipe *recipe;   /* weights */
    const void *constant;          /* constants: dense data, arena-owned */
    int is_kept;                   /* an activation that must survive the run (verification reads it) */
    /* A state's numbers may be encoded: its last dim is then `vectors` of equal length, each a row of the encoding, one
     * after the other (a cache: a vector for each key-value head). NULL: dense, of its type. */
    const struct encoding *encoding;
    int64_t vectors;
};

struct program {
    struct arena arena;
    const char *name;
    struct tensor *tensors;
    size_t n_tensors, tensor_capacity;
    struct op *ops;
    size_t n_ops, op_capacity;
    int64_t symbol_max[SYMBOL_COUNT];
};

void program_init(struct program *p, const char *name);
void program_free(struct program *p);
/* A deep copy, weights' recipes shared (they are immutable and must outlive both). */
void program_copy(const struct program *from, struct program *to);

/* All return the tensor's index. */
int program_input(struct program *p, const char *name, enum dtype t, int n_dims, const struct dim *dims);
int program_state(struct program *p, const char *name, enum dtype t, int n_dims, const struct dim *dims);
int program_weight(struct program *p, const char *name, enum dtype t, const struct recipe *recipe, int is_vector);
int program_constant(struct program *p, const char *name, enum dtype t, int64_t n, const void *data);
/* A tensor of another program: its name and constant copied, its recipe shared. */
int program_adopt(struct program *p, const struct tensor *t);
void program_output(struct program *p, int tensor);  /* marks an activation as read back by the host */
int program_find(const struct program *p, const char *name);  /* -1 where absent */

/* Appends an op; inputs given, outputs created as activations called names[i], their shape and type inferred.
 * Returns the first output's tensor (-1 for ops with none). A shape that does not fit is a defect in the builder
 * of the program: asserted with its reason printed. */
struct op_spec {
    enum op_kind kind;
    int n_in;
    int in[OP_MAX_IN];
    int n_out;
    const char *names[OP_MAX_OUT];
    float f[2];
    int32_t i[3];
    struct place place;
    enum category category;
};
int program_append(struct program *p, const struct op_spec *spec);

/* Rewriting: op lists are replaced whole; shapes of new outputs are inferred as above. */
int program_consumers(const struct program *p, int tensor, int *ops, int max); /* how many ops read it */
int program_producer(const struct program *p, int tensor);                     /* -1: not produced by an op */
/* Puts one op in place of ops `victims` (ascending), at the place of victim `at`; its outputs are existing
 * tensors. Tensors that nothing produces or reads any more are dropped from plans by liveness. */
void program_replace(struct program *p, const int *victims, int n_victims, int at, const struct op *op);

/* A program of the ops of layers first..last-1 (and the parts asked for). Tensors that cross the start become
 * inputs, those that cross the end outputs; only one residual tensor may cross each (else UNSUPPORTED). */
enum status program_slice(const struct program *p, const char *name, int with_embed, int first, int last,
                          int with_head, struct program *out, struct error *e);
/* Inserts all ops of `part` before op `at`, binding part's tensor `from` to p's tensor `to` and redirecting
 * later readers of `to` to part's tensor `result`. */
enum status program_splice(struct program *p, int at, const struct program *part, int to, int from, int result,
                           struct error *e);

/* Types, shapes, use before definition, two writers of one tensor, aliasing of in-place states. */
enum status program_validate(const struct program *p, struct error *e);
void program_print(const struct program *p, FILE *out);
/* An operation as tables call it: its kind and what it makes, the same in every layer. Arena-owned. */
char *op_label(const struct program *p, const struct op *op, struct arena *a);

int64_t tensor_elements(const struct tensor *t, const int64_t *symbols);
size_t tensor_bytes(const struct tensor *t, const int64_t *symbols);
/* Of a tensor whose last dim is a number: bytes along it. Of an encoded one: bytes and elements of a vector. */
size_t tensor_row_bytes(const struct tensor *t);
size_t tensor_vector_bytes(const struct tensor *t);
int64_t tensor_vector_length(const struct tensor *t);
/* "bf16 (R, 576)"; "bf16 (B, S, 192) as int8_row by 64" */
enum { SHAPE_TEXT_BYTES = 160 };
void tensor_shape_text(const struct tensor *t, char text[SHAPE_TEXT_BYTES]);

/* Activation memory from liveness: first fit by size into one block, 64-byte aligned.
 * offsets[n_tensors]: byte offset of each activation, SIZE_MAX for others. Returns the block's size. */
size_t program_plan(const struct program *p, size_t *offsets);

struct work op_work(const struct program *p, const struct op *op, const int64_t *symbols, const struct facts *f);

#endif
