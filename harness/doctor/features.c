#include "harness/doctor/features.h"

#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

struct row {
    const char *name;
    unsigned leaf, subleaf;
    char reg;
    int bit;
    uint64_t state;
};
static const struct row table[FEATURE_COUNT] = {
#define X(id, name, leaf, subleaf, reg, bit, state) {name, leaf, subleaf, (#reg)[0], bit, state},
    FEATURE_LIST(X)
#undef X
};

const char *feature_name(enum feature f) { return table[f].name; }
int feature_has(enum feature f) { return feature_state(f) == FEATURE_PRESENT; }

#if defined(__x86_64__)
enum { OSXSAVE_BIT = 27, REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 }; /* arch/x86/include/uapi/asm/prctl.h */

/* XCR0: the register files that the system saves. 0 where it saves none beyond SSE. */
static uint64_t enabled_state(void) {
    unsigned a, b, c, d, low, high;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c >> OSXSAVE_BIT & 1)) return 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static int is_in_cpu(const struct row *r) {
    unsigned a, b, c, d;
    if (!__get_cpuid_count(r->leaf, r->subleaf, &a, &b, &c, &d)) return 0;
    unsigned word = r->reg == 'a' ? a : r->reg == 'b' ? b : r->reg == 'c' ? c : d;
    return (int)(word >> r->bit & 1);
}

enum feature_state feature_state(enum feature f) {
    const struct row *r = &table[f];
    if (!is_in_cpu(r)) return FEATURE_ABSENT;
    if ((enabled_state() & r->state) != r->state) return FEATURE_MASKED;
    if (r->state >> TILE_DATA & 1 && syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) != 0) return FEATURE_MASKED;
    return FEATURE_PRESENT;
}
#else
enum feature_state feature_state(enum feature f) {
    (void)f;
    return FEATURE_ABSENT;
}
#endif
