/* cuda.h: the cuda backend's own structures (private to kernels/cuda/). One implementation serves the real device and
 * the emulated one: what differs is the platform, a set of tables.
 *
 * One stream a device, in order. Inputs of a program lie in one block, mirrored in pinned host memory: a launch begins
 * with one copy of what was written. Outputs are copied back where the host reads, and that read is the only wait. */
#ifndef ASSAY_KERNELS_CUDA_CUDA_H
#define ASSAY_KERNELS_CUDA_CUDA_H

#include "kernels/backend.h"
#include "kernels/cuda/blaslt.h"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/product.h"
#include "kernels/cuda/runtime.h"

struct team;
struct profiler;
struct cupti;
struct nvml;

struct cuda_platform {
    const struct backend *backend;
    const struct cuda_runtime *runtime;      /* NULL: this build has none */
    const struct cuda_kernels *kernels;
    /* The library's table, with the path it came from; NULL and why not. */
    const struct blaslt *(*blaslt)(const char **path, struct error *e);
    const struct cupti *(*cupti)(const char **path, struct error *e);
    const struct nvml *(*nvml)(const char **path, struct error *e);
    void (*begin)(const struct device_options *o); /* before anything else; NULL: nothing */
};

struct cuda_weight {
    uint64_t hash;
    enum dtype dtype;
    int is_vector;
    int64_t rows, cols;
    void *data;
    size_t bytes;
    int users;
};

struct cuda_state {
    char *name;
    enum dtype dtype;
    int64_t dims[TENSOR_MAX_DIMS];
    void *data;
    size_t bytes;
};

struct cuda_angles {               /* cosine and sine of position · frequency (positions, half) */
    uint64_t hash;
    int64_t positions, half;
    float *cosine, *sine;
    int users;
};

struct cuda_block {                /* device memory that grows while programs are prepared */
    void *data;
    size_t bytes;
};

struct cuda_device {
    struct device_head head;
    struct cuda_platform platform;
    const struct cuda_runtime *rt;
    const struct cuda_kernels *kernels;
    struct cuda_properties properties;
    int driver_version, runtime_version;
    const char *blaslt_path, *cupti_path;
    struct clock *clock;
    struct team *team;             /* makes weights ready on the host */
    void *stream;
    struct products *products;
    struct cuda_weight **weights;
    size_t n_weights, weight_capacity;
    struct cuda_state *states;
    size_t n_states, state_capacity;
    struct cuda_angles **angles;
    size_t n_angles, angle_capacity;
    struct cuda_block activations; /* programs run one after another in one block */
    struct cuda_block scratch;     /* of one operation */
    struct cuda_block counters;    /* of blocks that wait for each other: zero before and after every operation */
    struct cuda_block choices;     /* of sampling: what its kernel asks to be zero at first */
    size_t input_bytes;
    void *staging;                 /* pinned: what is read back, weights on their way */
    struct cuda_fault *fault;      /* pinned: what a kernel found wrong */
    struct profiler *profiler;     /* once a launch was traced */
    const struct nvml *nvml;       /* once telemetry was asked for, and where there is any; with its handle of this device */
    void *instruments;
    int instruments_are_known;
};

struct cuda_op {
    const struct op *op;
    struct cuda_weight *weight, *vectors[2]; /* NULL where it has none */
    struct cuda_weight *bias;      /* the vector in the output's type, for the library; NULL */
    struct cuda_angles *angles;
    struct product *plans[OP_MAX_OUT]; /* of each output, for the shape now bound */
};

struct cuda_prepared {
    struct prepared_head head;
    struct cuda_device *device;
    struct cuda_op *ops;
    void **data;                   /* of each tensor on the device; NULL: it has no place */
    size_t *offsets;               /* of activations in the block; SIZE_MAX others */
    void *block;                   /* the activations' block that `data` speaks of */
    char *inputs, *mirror;         /* on the device; pinned */
    size_t input_bytes, dirty_from, dirty_to;
    int is_flushing;               /* the mirror is being read by a copy */
    int64_t symbols[SYMBOL_COUNT];
    int is_bound;
};

/* One operation being launched. */
struct cuda_call {
    struct cuda_prepared *q;
    const struct cuda_op *o;
    int index;
};
static inline const struct tensor *cuda_in_type(const struct cuda_call *c, int i) { return &c->q->head.program->tensors[c->o->op->in[i]]; }
static inline const struct tensor *cuda_out_type(const struct cuda_call *c, int i) { return &c->q->head.program->tensors[c->o->op->out[i]]; }
static inline void *cuda_in(const struct cuda_call *c, int i) { return c->q->data[c->o->op->in[i]]; }
static inline void *cuda_out(const struct cuda_call *c, int i) { return c->q->data[c->o->op->out[i]]; }
static inline int64_t cuda_dim(const struct cuda_call *c, const struct tensor *t, int i) { return dim_value(t->dims[i], c->q->symbols); }

/* The error of a failed call: what was being done, and the runtime's words. */
enum status cuda_error(const struct cuda_device *d, int code, const char *doing, struct error *e);

/* device.c */
void cuda_close(struct device *d);
enum status cuda_synchronise(struct device *d, struct error *e);
void cuda_memory(const struct device *d, struct memory_use *out);
size_t cuda_capacity(const struct device *d);
void cuda_describe(struct device *d, void (*each)(void *to, const char *key, const char *value), void *to);
enum status cuda_open_on(const struct cuda_platform *p, const struct device_options *o, struct device **out, struct error *e);
/* Waits for the stream; then what kernels found wrong. */
enum status cuda_wait(struct cuda_device *d, const struct program *p, struct error *e);
enum status cuda_grow(struct cuda_device *d, struct cuda_block *b, size_t bytes, int is_zeroed, const char *what, struct error *e);
/* Memory of the device back, once nothing uses it any more: after a failure, work may still be under way. NULL is fine. */
void cuda_free(struct cuda_device *d, void *p);
enum { CUDA_STAGING_BYTES = 16 << 20 };

/* limits.c */
enum status cuda_measure_limit(struct device *d, const struct limit *l, int repeats, double *per_s, struct error *e);

/* telemetry.c */
void cuda_telemetry(struct device *d, struct telemetry *out);

/* weights.c: one copy a device of each recipe and type. */
enum status cuda_weight_get(struct cuda_device *d, const struct recipe *r, enum dtype t, int is_vector, const struct weight_source *source,
                            struct cuda_weight **out, struct error *e);
void cuda_weight_drop(struct cuda_device *d, struct cuda_weight *w); /* NULL is fine, as below */
enum status cuda_angles_get(struct cuda_device *d, const double *inv_freq, int64_t half, int64_t positions, struct cuda_angles **out, struct error *e);
void cuda_angles_drop(struct cuda_device *d, struct cuda_angles *a);

/* prepare.c */
enum status cuda_prepare(struct device *d, const struct program *p, const struct weight_source *w, struct prepared **out, struct error *e);
void cuda_release(struct prepared *p);

/* launch.c */
/* OK, or UNSUPPORTED with what is missing. */
enum status cuda_supports(const struct device *d, const struct program *p, const struct op *op, struct error *e);
/* Puts an operation on the stream; 0, or the runtime's or library's code. */
int cuda_launch(const struct cuda_call *c);
struct cuda_need {
    size_t scratch, counters, choices; /* bytes at the program's maxima */
};
void cuda_need_of(const struct cuda_device *d, const struct program *p, const struct op *op, struct cuda_need *out);

/* linear.c */
int cuda_linear(const struct cuda_call *c);
enum status cuda_linear_plan(struct cuda_prepared *q, struct error *e);
size_t cuda_linear_scratch(const struct program *p, const struct op *op);
static inline int cuda_is_many_rows(int64_t rows) { return rows > CUDA_FEW_ROWS; }

#endif
