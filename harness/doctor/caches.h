/* caches.h: how large the first CPU's caches are. */
#ifndef ASSAY_HARNESS_DOCTOR_CACHES_H
#define ASSAY_HARNESS_DOCTOR_CACHES_H

/* Bytes of the data (or unified) cache of a level, 1 to 3, as one CPU sees it; 0 unknown. The kernel's word comes
 * before the C library's, which counts all slices of a socket also where a virtual machine has one of them. */
long cache_bytes(int level);

#endif
