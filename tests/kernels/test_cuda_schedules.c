/* The case table of operations on the emulated device under every schedule: orders of warps and lanes, landings of
 * copies, streams that run late or at once. Each schedule takes every third case, another third each. */
#include <string.h>

#include "check_main.h"
#include "kernels/op_cases.c"
#include "tests/kernels/cuda/schedules.h"

enum { THIRDS = 3 };

START_TEST(operations_agree_under_every_schedule) {
    for (int s = 0; s < N_SCHEDULES; s++) {
        struct clock clock = {0};
        struct device *d;
        struct error e = {0};
        emulator_set_schedule(&schedules[s]);
        ck_assert_msg(backend_cuda_emulated.open(&(struct device_options){.clock = &clock, .threads = 1}, &d, &e) == STATUS_OK, "%s", e.text);
        for (int i = s % THIRDS; i < op_case_count(); i += THIRDS) {
            struct op_case c;
            struct op_result r;
            op_case_get(i, &c);
            enum status status = op_case_run(&c, d, &r, &e);
            ck_assert_msg(status == STATUS_OK && r.worst <= 1, "schedule %d, %s: %s%s", s, c.name, r.where, e.text);
        }
        backend_cuda_emulated.close(d);
    }
}
END_TEST

TEST_MAIN("cuda_schedules", operations_agree_under_every_schedule)
