/* isa.c: what this processor has and what the operating system saves of it. */
#include "kernels/cpu/isa.h"

#include <cpuid.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

extern const struct isa_kernels isa_kernels_plain, isa_kernels_avx2, isa_kernels_avx512, isa_kernels_avx512bf16;

static const char *const names[] = {"plain", "avx2", "avx512", "avx512bf16", "amx"};

const char *isa_name(enum isa level) { return names[level]; }

const struct isa_kernels *isa_table(enum isa level) {
    static const struct isa_kernels *const tables[] = {&isa_kernels_plain, &isa_kernels_avx2, &isa_kernels_avx512,
                                                       &isa_kernels_avx512bf16, &isa_kernels_avx512bf16};
    return tables[level];
}

/* Bits of XCR0: which registers the system saves. */
enum { XCR0_YMM = 0x6, XCR0_ZMM = 0xe6, XCR0_TILES = 0x60000 };
enum { ARCH_REQUEST_PERMISSION = 0x1023, FEATURE_TILE_DATA = 18 };

struct facts_cpuid {
    unsigned ecx1, ebx7, ecx7, edx7, eax7_1;
    unsigned long long xcr0;
};

static unsigned long long read_xcr0(void) {
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return ((unsigned long long)high << 32) | low;
}

static struct facts_cpuid look(void) {
    struct facts_cpuid f = {0};
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &f.ecx1, &d)) return f;
    if (f.ecx1 & bit_OSXSAVE) f.xcr0 = read_xcr0();
    if (__get_cpuid_count(7, 0, &a, &f.ebx7, &f.ecx7, &f.edx7) && a >= 1) __get_cpuid_count(7, 1, &f.eax7_1, &b, &c, &d);
    return f;
}

static int has_all(unsigned have, unsigned want) { return (have & want) == want; }

/* Linux hands tile registers out on request, once for the process. */
static int tiles_permitted(void) { return syscall(SYS_arch_prctl, ARCH_REQUEST_PERMISSION, FEATURE_TILE_DATA) == 0; }

/* What stands between this machine and the level, given that it has the level below; NULL: nothing. */
static const char *missing_of(enum isa level, const struct facts_cpuid *f) {
    enum { AMX_TILE = 1 << 24, AMX_BF16 = 1 << 22, AVX512_BF16 = 1 << 5, AVX512_VBMI2 = 1 << 6, AVX512_VNNI = 1 << 11 };
    switch (level) {
    case ISA_LEVEL_AVX2:
        if (!has_all(f->ebx7, bit_AVX2 | bit_BMI2) || !has_all(f->ecx1, bit_FMA | bit_F16C)) return "the processor has no AVX2, FMA, F16C or BMI2";
        return (f->xcr0 & XCR0_YMM) == XCR0_YMM ? NULL : "the operating system does not save AVX registers";
    case ISA_LEVEL_AVX512:
        if (!has_all(f->ebx7, bit_AVX512F | bit_AVX512BW | bit_AVX512VL | bit_AVX512DQ)) return "the processor has no AVX-512 (F, BW, VL, DQ)";
        return (f->xcr0 & XCR0_ZMM) == XCR0_ZMM ? NULL : "the operating system does not save AVX-512 registers";
    case ISA_LEVEL_AVX512BF16:
        return has_all(f->eax7_1, AVX512_BF16) && has_all(f->ecx7, AVX512_VBMI2 | AVX512_VNNI) ? NULL : "the processor has no AVX512_BF16, VBMI2 or VNNI";
    case ISA_LEVEL_AMX:
        if (!has_all(f->edx7, AMX_TILE | AMX_BF16)) return "the processor (or the hypervisor) offers no AMX";
        if ((f->xcr0 & XCR0_TILES) != XCR0_TILES) return "the operating system does not save AMX tiles";
        return tiles_permitted() ? NULL : "the operating system refuses the permission for AMX tiles";
    default: return NULL;
    }
}

/* The highest level below which nothing is missing; *missing says what the next one lacks. */
static enum isa climb(enum isa most, const char **missing) {
    struct facts_cpuid f = look();
    int level = ISA_LEVEL_PLAIN;
    *missing = NULL;
    while (level < (int)most && !(*missing = missing_of((enum isa)(level + 1), &f))) level++;
    return (enum isa)level;
}

enum isa isa_best(void) {
    const char *missing;
    return climb(ISA_LEVEL_AMX, &missing);
}

int isa_has_byte_tiles(void) {
    enum { AMX_INT8 = 1 << 25 };
    struct facts_cpuid f = look();
    return isa_best() == ISA_LEVEL_AMX && has_all(f.edx7, AMX_INT8);
}

int isa_has_halves(void) {
    enum { AVX512_FP16 = 1 << 23 };
    return isa_best() >= ISA_LEVEL_AVX512BF16 && has_all(look().edx7, AVX512_FP16);
}

enum status isa_choose(const char *name, enum isa *out, struct error *e) {
    const char *missing;
    if (!name) {
        *out = isa_best();
        return STATUS_OK;
    }
    for (int i = 0; i < ISA_LEVEL_COUNT; i++) {
        if (strcmp(name, names[i]) != 0) continue;
        *out = climb((enum isa)i, &missing);
        if (*out == (enum isa)i) return STATUS_OK;
        return error_set(e, STATUS_UNSUPPORTED, "instruction set '%s' is not possible here: %s; the best here is '%s'", name, missing, names[*out]);
    }
    return error_set(e, STATUS_INPUT, "no instruction set '%s' (have: plain, avx2, avx512, avx512bf16, amx)", name);
}
