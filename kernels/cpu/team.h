/* team.h: one team of threads; the calling thread is member 0.
 *
 * team_run lets every member run the same function once; inside it members meet at barriers. Nobody is woken
 * while a function runs: waiting spins for about 50 µs and sleeps only then. Between two runs that follow each
 * other closely the members spin too, so a launch costs two cache line transfers and no system call.
 *
 * Members may be bound to cores, one each, in the order of the process's affinity mask; the caller is bound too,
 * and let go again by team_close. */
#ifndef ASSAY_KERNELS_CPU_TEAM_H
#define ASSAY_KERNELS_CPU_TEAM_H

#include "kernels/base/hands.h"
#include "kernels/base/status.h"

enum { TEAM_MAX_MEMBERS = 64 };

struct team;

/* Threads that this process may use: its affinity mask, cut by its control groups' CPU quota; 1 to 64. */
int team_default_size(void);

/* members 0: the default size. Errors: INPUT more than 64; BACKEND the system refuses a thread. */
enum status team_open(int members, int is_bound, struct team **out, struct error *e);
void team_close(struct team *t); /* NULL is fine */
int team_size(const struct team *t);
int team_is_bound(const struct team *t); /* 1 where binding was asked for and the system agreed for every member */

/* Runs entry(arg, member) on every member; returns when all have returned. One caller at a time, not nested. */
void team_run(struct team *t, void (*entry)(void *arg, int member), void *arg);

struct hands team_hands(struct team *t);

/* Inside an entry: returns when every member has called it as often. What a member wrote before is seen by all
 * after. */
void team_barrier(struct team *t, int member);

#endif
