/* team.c: waiting on words that one thread writes and others read; spin first, then futex. */
#include "kernels/cpu/team.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "kernels/base/memory.h"

enum { FAN_IN = 4, SPIN_NS = 50000, SPINS_A_LOOK = 256 };

/* A counter that moves up by one; its own cache line. */
struct signal {
    _Alignas(64) _Atomic uint32_t value;
    _Atomic uint32_t sleepers;
};

struct member {
    struct signal arrived;   /* barriers that this member and those below it have reached */
    struct team *team;
    pthread_t thread;
    int index, core;         /* core -1: not bound */
    uint32_t barriers;       /* passed by this member; its own */
};

struct team {
    struct signal start;     /* runs begun */
    struct signal released;  /* barriers that all have reached */
    struct member *members;
    size_t bytes;            /* of members */
    int size, n_started, is_bound, has_caller_mask;
    cpu_set_t caller_mask;
    void (*entry)(void *arg, int member); /* NULL: leave */
    void *arg;
};

/* ---- signals ---- */

static void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int is_reached(struct signal *s, uint32_t target) {
    return (int32_t)(atomic_load_explicit(&s->value, memory_order_acquire) - target) >= 0;
}

static void signal_sleep(struct signal *s, uint32_t target) {
    atomic_fetch_add(&s->sleepers, 1);
    for (;;) {
        uint32_t seen = atomic_load(&s->value);
        if ((int32_t)(seen - target) >= 0) break;
        syscall(SYS_futex, &s->value, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
    }
    atomic_fetch_sub(&s->sleepers, 1);
}

static void signal_wait(struct signal *s, uint32_t target) {
    uint64_t give_up = 0;
    for (int spins = 1; !is_reached(s, target); spins++) {
        relax();
        if (spins % SPINS_A_LOOK) continue;
        uint64_t now = now_ns();
        if (give_up == 0) give_up = now + SPIN_NS;
        if (now < give_up) continue;
        signal_sleep(s, target);
        return;
    }
}

/* The store and the look at the sleepers are sequentially consistent, as are a sleeper's count and its look at
 * the value: one of the two sees the other. */
static void signal_set(struct signal *s, uint32_t value) {
    atomic_store(&s->value, value);
    if (atomic_load(&s->sleepers)) syscall(SYS_futex, &s->value, FUTEX_WAKE_PRIVATE, TEAM_MAX_MEMBERS, NULL, NULL, 0);
}

/* ---- the barrier: a tree upwards, one word downwards ---- */

static void run_hands(void *team, void (*work)(void *arg, int member), void *arg) { team_run(team, work, arg); }

struct hands team_hands(struct team *t) { return (struct hands){run_hands, t, team_size(t)}; }

void team_barrier(struct team *t, int index) {
    if (t->size == 1) return;
    struct member *m = &t->members[index];
    uint32_t target = ++m->barriers;
    for (int child = FAN_IN * index + 1; child <= FAN_IN * index + FAN_IN && child < t->size; child++)
        signal_wait(&t->members[child].arrived, target);
    if (index == 0) {
        signal_set(&t->released, target);
    } else {
        signal_set(&m->arrived, target);
        signal_wait(&t->released, target);
    }
}

/* ---- members ---- */

static int bind_self(int core) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)core, &set);
    return pthread_setaffinity_np(pthread_self(), sizeof set, &set) == 0;
}

static void *member_main(void *arg) {
    struct member *m = arg;
    struct team *t = m->team;
    if (m->core >= 0) bind_self(m->core);
    for (uint32_t run = 1;; run++) {
        signal_wait(&t->start, run);
        if (!t->entry) return NULL;
        t->entry(t->arg, m->index);
        team_barrier(t, m->index);
    }
}

void team_run(struct team *t, void (*entry)(void *arg, int member), void *arg) {
    t->entry = entry;
    t->arg = arg;
    if (t->size > 1) signal_set(&t->start, atomic_load(&t->start.value) + 1);
    entry(arg, 0);
    team_barrier(t, 0);
}

static void bind_members(struct team *t) {
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    if (pthread_getaffinity_np(pthread_self(), sizeof allowed, &allowed) != 0 || CPU_COUNT(&allowed) < t->size) return;
    t->caller_mask = allowed;
    t->has_caller_mask = 1;
    for (int core = 0, i = 0; core < CPU_SETSIZE && i < t->size; core++)
        if (CPU_ISSET((size_t)core, &allowed)) t->members[i++].core = core;
    t->is_bound = bind_self(t->members[0].core);
}

enum status team_open(int members, int is_bound, struct team **out, struct error *e) {
    int size = members > 0 ? members : team_default_size();
    if (size > TEAM_MAX_MEMBERS)
        return error_set(e, STATUS_INPUT, "%d threads asked for; at most %d are possible", size, TEAM_MAX_MEMBERS);
    struct team *t = mem_try(sizeof *t);
    struct member *list = mem_try((size_t)size * sizeof *list);
    if (!t || !list) {
        mem_try_free(t, sizeof *t);
        mem_try_free(list, 0);
        return error_set(e, STATUS_NO_MEMORY, "no memory for a team of %d threads", size);
    }
    t->members = list;
    t->bytes = (size_t)size * sizeof *list;
    t->size = size;
    t->n_started = 1;
    for (int i = 0; i < size; i++) {
        list[i].team = t;
        list[i].index = i;
        list[i].core = -1;
    }
    if (is_bound) bind_members(t);
    for (int i = 1; i < size; i++) {
        int code = pthread_create(&list[i].thread, NULL, member_main, &list[i]);
        if (code != 0) {
            team_close(t);
            return error_set(e, STATUS_BACKEND, "the system refuses thread %d of %d: %s; ask for fewer with --threads", i + 1, size,
                             strerror(code));
        }
        t->n_started++;
    }
    *out = t;
    return STATUS_OK;
}

void team_close(struct team *t) {
    if (!t) return;
    t->entry = NULL;
    signal_set(&t->start, atomic_load(&t->start.value) + 1);
    for (int i = 1; i < t->n_started; i++) pthread_join(t->members[i].thread, NULL);
    if (t->has_caller_mask) pthread_setaffinity_np(pthread_self(), sizeof t->caller_mask, &t->caller_mask);
    mem_try_free(t->members, t->bytes);
    mem_try_free(t, sizeof *t);
}

int team_size(const struct team *t) { return t->size; }
int team_is_bound(const struct team *t) { return t->is_bound; }
