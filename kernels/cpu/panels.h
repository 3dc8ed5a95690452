/* panels.h: products of many rows by our own kernels: w a panel of columns at a time, turned so that its columns lie side by side and
 * stay in the second-level cache while all rows of x meet them (Goto & van de Geijn 2008, without packing x). Private to kernels/cpu/. */
#ifndef ASSAY_KERNELS_CPU_PANELS_H
#define ASSAY_KERNELS_CPU_PANELS_H

#include "kernels/cpu/dense.h"
#include "kernels/cpu/isa.h"

/* Whether products over k elements of type t can be had so: f32, and bf16 where the processor multiplies its pairs and k is even. */
int panels_fit(const struct isa_kernels *isa, enum dtype t, int64_t k);

/* Floats of scratch. */
int64_t panels_scratch(int64_t k);

/* As dense_run, by one member. Up to 15 columns of c beyond n are written over. */
void panels_run(const struct isa_kernels *isa, const struct dense_key *key, const void *a, const void *b, float *c, float *scratch);

/* A row of x as products in fp16 take it: brought into the range of fp16 by a power of two, each number twice in a word (which
 * processors spread over a vector for nothing, but a 16-bit number not). Returns what sums are to be multiplied by. */
float panels_halve(const struct isa_kernels *isa, enum dtype t, const void *x, int64_t k, uint32_t *words);

/* The same product in fp16, sums moved to f32 every 64 elements: a (m, a_stride) words of panels_halve and its factors (m); b of
 * key->t, any of the real types, each of its rows brought into range likewise. No finite operands make it overflow. */
void panels_run_halves(const struct isa_kernels *isa, const struct dense_key *key, const uint32_t *a, const float *factors, const void *b, float *c, float *scratch);

#endif
