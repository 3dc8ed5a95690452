#include "harness/measure/machine.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/doctor/findings.h"

void machine_facts(struct text *to) {
    struct doctor_report r = {0};
    doctor_processor(&r);
    doctor_devices(&r);
    for (int i = 0; i < r.n; i++)
        if (r.items[i].scope == SCOPE_MACHINE || strcmp(r.items[i].key, "gpu.driver") == 0) text_append(to, "%s %s\n", r.items[i].key, r.items[i].value);
    doctor_free(&r);
}

void machine_build(char to[MACHINE_BUILD_BYTES]) {
    struct stat s = {0};
    stat("/proc/self/exe", &s);
    snprintf(to, MACHINE_BUILD_BYTES, "%s, %lld bytes of %lld.%09ld", ASSAY_VERSION, (long long)s.st_size, (long long)s.st_mtim.tv_sec, s.st_mtim.tv_nsec);
}
