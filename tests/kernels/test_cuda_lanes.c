// label: gpu
/* Every wrapper of a PTX instruction on a device against its C body on the emulator, lane by lane. */
#include <math.h>
#include <string.h>

#include "check_main.h"
#include "kernels/base/random.h"
#include "kernels/cuda/runtime.h"
#include "kernels/types.h"
#include "tests/kernels/cuda/lanes.h"

enum { LANES = 32 };
typedef int lanes_launcher(void *stream, const uint32_t *in, uint32_t *out);

static uint32_t bits(float x) {
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

/* Two small whole numbers in 16-bit floating point. */
static uint32_t small_pair(uint64_t *random, enum dtype t) {
    float low = (float)(random_next(random) % 9) - 4, high = (float)(random_next(random) % 9) - 4;
    return t == DTYPE_BF16 ? (uint32_t)f32_to_bf16(low) | (uint32_t)f32_to_bf16(high) << 16 : (uint32_t)f32_to_f16(low) | (uint32_t)f32_to_f16(high) << 16;
}

static void fill(uint32_t *in, uint64_t seed) {
    for (int lane = 0; lane < LANES; lane++) {
        uint32_t *w = in + lane * LANES_WORDS;
        for (int i = 0; i < LANES_WORDS; i++) w[i] = (uint32_t)random_next(&seed);
        w[0] = bits((float)((double)random_next(&seed) / 0x1p64 * 100 - 50));
        w[1] &= 0xbfffu; /* a finite f16 */
        w[2] = bits((float)((double)random_next(&seed) / 0x1p64 - 0.5) * 1e-3f);
        for (int i = 4; i < 10; i++) w[i] = small_pair(&seed, DTYPE_BF16);
        for (int i = 10; i < 16; i++) w[i] = small_pair(&seed, DTYPE_F16);
        w[20] = bits((float)((double)random_next(&seed) / 0x1p64 * 40 - 30));
    }
}

static void run(const struct cuda_runtime *rt, lanes_launcher *launch, const uint32_t *in, uint32_t *out) {
    size_t bytes = LANES * LANES_WORDS * sizeof *in;
    void *stream, *from, *to;
    ck_assert_int_eq(rt->stream_open(&stream), 0);
    ck_assert_int_eq(rt->allocate(&from, bytes), 0);
    ck_assert_int_eq(rt->allocate(&to, bytes), 0);
    ck_assert_int_eq(rt->copy(from, in, bytes, CUDA_TO_DEVICE, stream), 0);
    ck_assert_int_eq(launch(stream, from, to), 0);
    ck_assert_int_eq(rt->copy(out, to, bytes, CUDA_TO_HOST, stream), 0);
    int code = rt->stream_wait(stream);
    ck_assert_msg(code == 0, "%s", rt->error_text(code));
    rt->release(from);
    rt->release(to);
    rt->stream_close(stream);
}

START_TEST(every_lane_agrees) {
    static uint32_t in[LANES * LANES_WORDS], on_device[LANES * LANES_WORDS], emulated[LANES * LANES_WORDS];
    for (uint64_t seed = 1; seed <= 50; seed++) {
        fill(in, seed);
        run(cuda_device_runtime(), device_lanes, in, on_device);
        run(&cuda_emulated_runtime, emulated_lanes, in, emulated);
        for (int lane = 0; lane < LANES; lane++) {
            const uint32_t *a = on_device + lane * LANES_WORDS, *b = emulated + lane * LANES_WORDS;
            float x, y;
            for (int i = 0; i < LANES_EXACT; i++) ck_assert_msg(a[i] == b[i], "seed %d, lane %d, word %d: device %08x, body %08x", (int)seed, lane, i, a[i], b[i]);
            memcpy(&x, a + LANES_EXACT, sizeof x);
            memcpy(&y, b + LANES_EXACT, sizeof y);
            ck_assert_msg(fabsf(x - y) <= 1e-6f * y, "seed %d, lane %d: 2^x is %.9g, should be %.9g", (int)seed, lane, (double)x, (double)y);
        }
    }
}
END_TEST

static const char *why_not(void) {
    if (!cuda_device_runtime()) return "this build has no CUDA in it";
    return cuda_device_runtime()->trouble();
}

TEST_MAIN_UNLESS(why_not, "cuda_lanes", every_lane_agrees)
