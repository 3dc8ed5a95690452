/* program_print.c: a program as text: assay show --program. */
#include "kernels/program.h"

static void print_dims(const struct tensor *t, FILE *out) {
    fprintf(out, "(");
    for (int i = 0; i < t->n_dims; i++) {
        if (t->dims[i].symbol != SYMBOL_NONE) fprintf(out, "%s%s", i ? "," : "", symbol_name(t->dims[i].symbol));
        else fprintf(out, "%s%lld", i ? "," : "", (long long)t->dims[i].size);
    }
    fprintf(out, ")");
}

static void print_recipe(const struct recipe *r, FILE *out) {
    static const char *const names[] = {"leaf", "unpermute", "encode", "concat"};
    if (r->kind == RECIPE_LEAF) {
        fprintf(out, "%s", r->leaf);
        return;
    }
    fprintf(out, "%s%s%s(", names[r->kind], r->kind == RECIPE_ENCODE ? " " : "", r->kind == RECIPE_ENCODE ? r->encoding->name : "");
    for (int i = 0; i < r->n_parts; i++) {
        if (i) fprintf(out, ", ");
        print_recipe(r->parts[i], out);
    }
    fprintf(out, ")");
}

static void print_tensor(const struct program *p, int index, FILE *out) {
    const struct tensor *t = &p->tensors[index];
    fprintf(out, "%s:%s", t->name, dtype_name(t->dtype));
    print_dims(t, out);
    if (t->recipe) {
        fprintf(out, "=");
        print_recipe(t->recipe, out);
    }
}

static void print_place(const struct place *place, FILE *out) {
    if (place->part == PART_LAYER) fprintf(out, "layer %-3d", place->layer);
    else fprintf(out, "%-9s", place->part == PART_EMBED ? "embed" : "head");
}

static void print_op(const struct program *p, size_t i, FILE *out) {
    const struct op *op = &p->ops[i];
    fprintf(out, "%4zu  ", i);
    print_place(&op->place, out);
    fprintf(out, "  %-16s %-16s dev %d  ", op_table[op->kind].name, category_name(op->category), op->device);
    for (int k = 0; k < op->n_in; k++) {
        if (k) fprintf(out, ", ");
        print_tensor(p, op->in[k], out);
    }
    fprintf(out, " ->");
    for (int k = 0; k < op->n_out; k++) {
        fprintf(out, k ? ", " : " ");
        print_tensor(p, op->out[k], out);
    }
    if (op->n_covers) fprintf(out, "   [covers");
    for (int k = 0; k < op->n_covers; k++) fprintf(out, " %s", op_table[op->covers[k]].name);
    fprintf(out, op->n_covers ? "]\n" : "\n");
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
