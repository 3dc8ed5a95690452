/* tca_bme.h: SpInfer's TCA-BME: bitmaps of 8 x 8 in the order in which a tensor core wants a matrix.
 *
 *   group tile  64 x 64, row-major over the matrix; four bands of 16 x 64, one under the other; a band is four tiles of 16 x 16,
 *               side by side; such a tile is four bitmap tiles of 8 x 8: top left, bottom left, top right, bottom right (the
 *               registers Ra0..Ra3 of mma.m16n8k16).
 *   bitmaps     u64 (groups, 4 bands, 4 tiles, 4): bit 8 r + c is element (r, c).
 *   values      16-bit, in the order of the bitmaps and their bits; a group filled up with zeros to a multiple of 8.
 *   group_start i32 (groups + 1): index of the group's first value.
 *   band_start  i32 (groups, 4): of the band's first value, from that of the group.
 *
 * Capacity: the published kernel has shared memory for 2304 values a group (56 % density) and overruns it above; encoding
 * refuses instead. Source: Fan et al. 2025 and HPMLL/SpInfer_EuroSys25, by its behaviour. */
#ifndef ASSAY_KERNELS_SPARSE_TCA_BME_H
#define ASSAY_KERNELS_SPARSE_TCA_BME_H

#include "kernels/base/status.h"
#include "kernels/sparse/masked.h"

enum { TCA_BME_GROUP = 64, TCA_BME_BANDS = 4, TCA_BME_BITMAPS = 64, TCA_BME_CAPACITY = 2304 };

struct tca_bme {
    int64_t rows, cols;
    int64_t group_rows, group_cols;   /* group tiles down and across; those at the ends may be partial */
    int64_t n_values;                 /* with those that fill up */
    int64_t most_values;              /* of a group, with those that fill up */
    uint64_t *bitmaps;
    uint16_t *values;
    int32_t *group_start, *band_start;
};

/* m of 16-bit elements. `capacity`: values a group may have with those that fill up, TCA_BME_CAPACITY or SPARSE_UNLIMITED.
 * Owned: tca_bme_free. Errors: UNSUPPORTED a group holds more (the group, both numbers); more values than i32 offsets reach;
 * NO_MEMORY. */
enum status tca_bme_encode(const struct masked *m, int64_t capacity, struct tca_bme *out, struct error *e);
void tca_bme_free(struct tca_bme *t);

/* dense (rows, cols) of 16-bit elements. */
void tca_bme_decode(const struct tca_bme *t, uint16_t *dense);

/* Bytes of values, bitmaps and both offsets. */
double tca_bme_bytes(const struct tca_bme *t);

#endif
