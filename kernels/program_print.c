/* program_print.c: a program as text, one line an operation: assay show --program. */
#include <string.h>

#include "kernels/program.h"

void tensor_shape_text(const struct tensor *t, char text[SHAPE_TEXT_BYTES]) {
    int at = snprintf(text, SHAPE_TEXT_BYTES, "%s (", dtype_name(t->dtype));
    for (int i = 0; i < t->n_dims; i++) {
        struct dim d = t->dims[i];
        size_t room = SHAPE_TEXT_BYTES - (size_t)at; /* 4 dims of 20 digits fit */
        const char *comma = i ? ", " : "";
        if (d.symbol == SYMBOL_NONE) at += snprintf(text + at, room, "%s%lld", comma, (long long)d.size);
        else at += snprintf(text + at, room, "%s%s", comma, symbol_name(d.symbol));
    }
    at += snprintf(text + at, SHAPE_TEXT_BYTES - (size_t)at, ")");
    if (t->encoding) snprintf(text + at, SHAPE_TEXT_BYTES - (size_t)at, " as %.20s by %lld", t->encoding->name, (long long)tensor_vector_length(t));
}

static void print_step(const struct recipe *r, FILE *out) {
    static const char *const per[] = {[PRUNE_PER_ROW] = "row", [PRUNE_PER_MATRIX] = "matrix"};
    switch (r->kind) {
    case RECIPE_LEAF: fprintf(out, "%s", r->leaf); break;
    case RECIPE_UNPERMUTE: fprintf(out, "unpermute"); break;
    case RECIPE_CONCAT: fprintf(out, "concat"); break;
    case RECIPE_ENCODE: 
        fprintf(out, "encode %s%s", r->encoding->name, r->rule.rounding == QUANTIZE_HQQ ? " by HQQ" : "");
        if (r->input_bits) fprintf(out, ", inputs in %d bits", r->input_bits);
        break;
    case RECIPE_PRUNE:
        if (r->pruning.per == PRUNE_N_OF_M) fprintf(out, "prune %d of %d", r->pruning.n, r->pruning.m);
        else fprintf(out, "prune %g a %s", r->pruning.share, per[r->pruning.per]);
        if (r->norm) fprintf(out, " by Wanda");
        break;
    }
}

static void print_recipe(const struct recipe *r, FILE *out) {
    print_step(r, out);
    if (r->kind == RECIPE_LEAF) return;
    fprintf(out, "(");
    for (int i = 0; i < r->n_parts; i++) {
        if (i) fprintf(out, ", ");
        print_recipe(r->parts[i], out);
    }
    fprintf(out, ")");
}

static void print_tensor(const struct program *p, int index, FILE *out) {
    const struct tensor *t = &p->tensors[index];
    char shape[SHAPE_TEXT_BYTES];
    tensor_shape_text(t, shape);
    fprintf(out, "%s %s", t->name, shape);
    if (t->recipe) {
        fprintf(out, " = ");
        print_recipe(t->recipe, out);
        if (t->recipe->group >= 0) fprintf(out, " in group %d", t->recipe->group);
    }
    if (t->storage == STORAGE_OUTPUT) fprintf(out, " [output]");
    if (t->is_kept) fprintf(out, " [kept]");
}

static void print_place(const struct place *place, FILE *out) {
    if (place->part == PART_LAYER) fprintf(out, "layer %-3d", place->layer);
    else fprintf(out, "%-9s", place->part == PART_EMBED ? "embed" : "head");
}

static void print_op(const struct program *p, size_t i, FILE *out) {
    const struct op *op = &p->ops[i];
    fprintf(out, "%4zu  ", i);
    print_place(&op->place, out);
    fprintf(out, "  %-15s %-16s device %d  ", op_table[op->kind].name, category_name(op->category), op->device);
    for (int k = 0; k < op->n_in; k++) {
        if (k) fprintf(out, ", ");
        print_tensor(p, op->in[k], out);
    }
    fprintf(out, " ->");
    for (int k = 0; k < op->n_out; k++) {
        fprintf(out, k ? ", " : " ");
        print_tensor(p, op->out[k], out);
    }
    if (op->n_covers) fprintf(out, "   covers");
    for (int k = 0; k < op->n_covers; k++) fprintf(out, "%s %s", k ? "," : "", op_table[op->covers[k]].name);
    fprintf(out, "\n");
}

void program_print(const struct program *p, FILE *out) {
    size_t *offsets = mem_alloc((p->n_tensors + 1) * sizeof *offsets);
    size_t block = program_plan(p, offsets);
    mem_free(offsets);
    fprintf(out, "program %s: %zu operations, activations %zu bytes, at most", p->name, p->n_ops, block);
    for (int s = 0; s < SYMBOL_COUNT; s++) fprintf(out, " %s=%lld", symbol_name((enum symbol)s), (long long)p->symbol_max[s]);
    fprintf(out, "\n");
    for (size_t i = 0; i < p->n_ops; i++) print_op(p, i, out);
}

char *op_label(const struct program *p, const struct op *op, struct arena *a) {
    const char *kind = op_table[op->kind].name, *makes = op->n_out ? p->tensors[op->out[0]].name : kind;
    const char *dot = op->place.part == PART_LAYER ? strchr(makes, '.') : NULL; /* "layer3.q_proj" */
    return arena_printf(a, "%s %s", kind, dot ? dot + 1 : makes);
}
