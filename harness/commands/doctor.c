#include <string.h>

#include "harness/commands/command.h"
#include "harness/doctor/doctor.h"

static const double noise_seconds = 0.5;

static enum status run(struct options *o, int *exit_code, struct error *e) {
    const char *format = o->value[OPT_FORMAT] ? o->value[OPT_FORMAT] : "md";
    struct doctor_report r;
    if (strcmp(format, "md") != 0 && strcmp(format, "json") != 0) return error_set(e, STATUS_INPUT, "-o '%s' is not one of md, json", format);
    doctor_collect(&r, noise_seconds);
    doctor_cuda(&r);
    doctor_timings(&r);
    doctor_print(&r, stdout, strcmp(format, "json") == 0);
    *exit_code = doctor_count(&r, FINDING_BAD) ? EXIT_CHECK_FAILED : EXIT_DONE;
    doctor_free(&r);
    return STATUS_OK;
}

const struct command command_doctor = {"doctor", "", "what works here, what does not, why, and what to do about it", FOR_OUTPUT, run, NULL};
