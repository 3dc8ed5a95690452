/* schedules.h: the orders in which the emulator's tests run everything. */
#ifndef ASSAY_TESTS_KERNELS_CUDA_SCHEDULES_H
#define ASSAY_TESTS_KERNELS_CUDA_SCHEDULES_H

#include "kernels/cuda/emulator/schedule.h"

static const struct emulator_schedule schedules[] = {
    {EMULATOR_FORWARD, EMULATOR_LAZY, 0, 0},   {EMULATOR_FORWARD, EMULATOR_EAGER, 1, 0}, {EMULATOR_REVERSE, EMULATOR_LAZY, 0, 0},
    {EMULATOR_REVERSE, EMULATOR_EAGER, 0, 0},  {EMULATOR_RANDOM, EMULATOR_DRAWN, 0, 1},  {EMULATOR_RANDOM, EMULATOR_DRAWN, 1, 2},
    {EMULATOR_RANDOM, EMULATOR_DRAWN, 0, 3}};
enum { N_SCHEDULES = sizeof schedules / sizeof *schedules };

#endif
