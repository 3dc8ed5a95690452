/* findings.h: how the doctor's parts write into one report. */
#ifndef ASSAY_HARNESS_DOCTOR_FINDINGS_H
#define ASSAY_HARNESS_DOCTOR_FINDINGS_H

#include "harness/doctor/doctor.h"

/* The value is formatted; advice "" where there is nothing to do. */
void finding_add(struct doctor_report *r, enum finding_scope scope, const char *key, enum finding_status status,
                 const char *advice, const char *format, ...) __attribute__((format(printf, 6, 7)));

/* OK up to the first limit, WARN above it, BAD above the second. */
static inline enum finding_status finding_judge(double value, double warn_above, double bad_above) {
    return value > bad_above ? FINDING_BAD : value > warn_above ? FINDING_WARN : FINDING_OK;
}

/* The first line of a file without its newline; 0 where it cannot be read. */
int line_read(const char *path, char *out, size_t bytes);

/* The rest of the first line that begins with the key, after ':' or '=' and blanks; 0 where there is none. */
int line_find(const char *path, const char *key, char *out, size_t bytes);

void doctor_processor(struct doctor_report *r);  /* model, instruction sets, cores, quota, frequency, caches */
void doctor_memory(struct doctor_report *r);     /* size, what is left, limits, huge pages */
void doctor_system(struct doctor_report *r);     /* kernel, distribution, virtual machine, load, clock */
void doctor_noise(struct doctor_report *r, double seconds);
void doctor_libraries(struct doctor_report *r);  /* versions, programs, build */
void doctor_devices(struct doctor_report *r);    /* GPU, or why there is none */

#endif
