/* rms.h: how far apart two runs of numbers are. */
#ifndef ASSAY_KERNELS_BASE_RMS_H
#define ASSAY_KERNELS_BASE_RMS_H

#include <math.h>
#include <stdint.h>

/* Root of Σ (x − y)² over Σ y²; of Σ (x − y)² alone where y is all zeros. */
static inline double relative_rms(const float *x, const float *y, int64_t n) {
    double difference = 0, scale = 0;
    for (int64_t i = 0; i < n; i++) {
        difference += ((double)x[i] - (double)y[i]) * ((double)x[i] - (double)y[i]);
        scale += (double)y[i] * (double)y[i];
    }
    return scale > 0 ? sqrt(difference / scale) : sqrt(difference);
}

#endif
