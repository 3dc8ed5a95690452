/* hands.h: many hands for one piece of work. */
#ifndef ASSAY_KERNELS_BASE_HANDS_H
#define ASSAY_KERNELS_BASE_HANDS_H

/* Runs work(arg, member) for members 0..n-1 at once. */
struct hands {
    void (*run)(void *self, void (*work)(void *arg, int member), void *arg);
    void *self;
    int n;
};

#endif
