#ifndef ASSAY_RESULTS_STORE_VERSION1_H
#define ASSAY_RESULTS_STORE_VERSION1_H

extern const char *const schema_version1[];

#endif
