/* annotate.h: ranges of the host's time, told to a tool that looks on (nsys, ncu) while it runs: a pipeline's stages, and in
 * them each operation as it is launched, by the names that tables have for them. Nobody looks: a null pointer. */
#ifndef ASSAY_KERNELS_ANNOTATE_H
#define ASSAY_KERNELS_ANNOTATE_H

#include <stddef.h>

/* Who is told. Ranges of a thread nest; a name is borrowed for the call. */
struct annotator {
    void *self;
    void (*push)(void *self, const char *name);
    void (*pop)(void *self);
};

static inline void annotate_push(const struct annotator *a, const char *name) {
    if (a) a->push(a->self, name);
}
static inline void annotate_pop(const struct annotator *a) {
    if (a) a->pop(a->self);
}

/* The operations of a program on a device, for whoever launches them. Those from `later_from` on lie in a stage of their
 * own, inside the launch's (see struct launch_site). */
struct annotated_ops {
    const struct annotator *to;
    char **labels;
    const char *later_stage;
    int later_from;
};

static inline void annotate_op(const struct annotated_ops *a, int op) {
    if (!a) return;
    if (op >= a->later_from) a->to->push(a->to->self, a->later_stage);
    a->to->push(a->to->self, a->labels[op]);
}
static inline void annotate_op_end(const struct annotated_ops *a, int op) {
    if (!a) return;
    a->to->pop(a->to->self);
    if (op >= a->later_from) a->to->pop(a->to->self);
}

#endif
