#include "kernels/encoding.h"

static const struct encoding *const encodings[] = {
#define X(name) &encoding_##name,
    ENCODING_LIST(X)
#undef X
#define X(name, bits, group, scale, zero) &encoding_##name,
    GROUPED_LIST(X)
#undef X
};

const struct encoding *encoding_find(const char *name) {
    for (size_t i = 0; i < sizeof encodings / sizeof *encodings; i++)
        if (strcmp(encodings[i]->name, name) == 0) return encodings[i];
    return NULL;
}

const struct encoding *encoding_of_dtype(enum dtype t) {
    switch (t) {
    case DTYPE_F32: return &encoding_f32;
    case DTYPE_F16: return &encoding_f16;
    case DTYPE_BF16: return &encoding_bf16;
    default: return NULL;
    }
}
