/* libraries.c: versions of what we are built from and of the program that draws. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <dnnl.h>
#include <gnu/libc-version.h>
#include <jansson.h>
#include <pcre2.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>
#include <yaml.h>

#include "harness/doctor/findings.h"

static void add_libraries(struct doctor_report *r) {
    const dnnl_version_t *dnnl = dnnl_version();
    char pcre2[64] = "unknown";
    pcre2_config(PCRE2_CONFIG_VERSION, pcre2);
    finding_add(r, SCOPE_ENVIRONMENT, "library.onednn", FINDING_OK, "", "%d.%d.%d", dnnl->major, dnnl->minor,
                dnnl->patch);
    finding_add(r, SCOPE_ENVIRONMENT, "library.sqlite", FINDING_OK, "", "%s", sqlite3_libversion());
    finding_add(r, SCOPE_ENVIRONMENT, "library.jansson", FINDING_OK, "", "%s", jansson_version_str());
    finding_add(r, SCOPE_ENVIRONMENT, "library.pcre2", FINDING_OK, "", "%s", pcre2);
    finding_add(r, SCOPE_ENVIRONMENT, "library.utf8proc", FINDING_OK, "", "%s", utf8proc_version());
    finding_add(r, SCOPE_ENVIRONMENT, "library.libyaml", FINDING_OK, "", "%s", yaml_get_version_string());
    finding_add(r, SCOPE_ENVIRONMENT, "library.libc", FINDING_OK, "", "%s", gnu_get_libc_version());
}

static void add_gnuplot(struct doctor_report *r) {
    char line[128] = "";
    FILE *f = popen("gnuplot --version 2>/dev/null", "r");
    int found = f && fgets(line, sizeof line, f) != NULL;
    if (f) pclose(f);
    line[strcspn(line, "\n")] = '\0';
    finding_add(r, SCOPE_ENVIRONMENT, "program.gnuplot", found ? FINDING_OK : FINDING_WARN,
                "figures cannot be drawn (measuring can): apt-get install gnuplot-nox", "%s",
                found ? line : "not found");
}

#ifndef ASSAY_BUILD_FLAGS
#define ASSAY_BUILD_FLAGS "unknown"
#endif

static void add_build(struct doctor_report *r) {
#if !defined(__OPTIMIZE__)
    const char *fault = "built without optimization";
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    const char *fault = "built with a sanitizer";
#else
    const char *fault = NULL;
#endif
    finding_add(r, SCOPE_ENVIRONMENT, "build.version", FINDING_OK, "", "%s", ASSAY_VERSION);
    finding_add(r, SCOPE_ENVIRONMENT, "build.compiler", FINDING_OK, "", "%s", __VERSION__);
    finding_add(r, SCOPE_ENVIRONMENT, "build.flags", fault ? FINDING_WARN : FINDING_OK,
                "its times mean nothing: cmake --preset release && cmake --build --preset release", "%s%s%s",
                ASSAY_BUILD_FLAGS, fault ? "; " : "", fault ? fault : "");
}

void doctor_libraries(struct doctor_report *r) {
    add_libraries(r);
    add_gnuplot(r);
    add_build(r);
}
