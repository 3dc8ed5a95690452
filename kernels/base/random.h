/* random.h: hashes and counter-based random numbers; no state beyond the argument.
 * splitmix64 after Steele, Lea & Flood 2014 (constants of its reference form); FNV-1a after Fowler,
 * Noll & Vo with splitmix's finaliser, for identities that stay inside one store (not for security). */
#ifndef ASSAY_KERNELS_BASE_RANDOM_H
#define ASSAY_KERNELS_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

static inline uint64_t random_mix(uint64_t x) {
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* The next of a sequence: *state moves. */
static inline uint64_t random_next(uint64_t *state) {
    uint64_t out = random_mix(*state);
    *state += 0x9e3779b97f4a7c15u;
    return out;
}

/* Uniform in [0, 1), 53 bits. */
static inline double random_unit(uint64_t bits) { return (double)(bits >> 11) * 0x1p-53; }

static inline uint64_t hash_bytes(uint64_t seed, const void *data, size_t bytes) {
    const unsigned char *p = data;
    uint64_t h = seed ^ 0xcbf29ce484222325u;
    for (size_t i = 0; i < bytes; i++) h = (h ^ p[i]) * 0x100000001b3u;
    return random_mix(h);
}

#endif
