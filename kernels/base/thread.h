/* thread.h: threads that we start in a program that has its own. */
#ifndef ASSAY_KERNELS_BASE_THREAD_H
#define ASSAY_KERNELS_BASE_THREAD_H

#include <pthread.h>

/* A thread that takes none of the program's signals: they are for its own. 0: the system refuses one. */
int thread_start(pthread_t *out, void *(*main)(void *), void *arg);

#endif
