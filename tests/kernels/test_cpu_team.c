/* The thread team: everyone runs, barriers order memory, sizes and binding. Run under the thread sanitizer too. */
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#include "check_main.h"
#include "kernels/cpu/team.h"

enum { ROUNDS = 300, MOST = 8 };

struct relay {
    struct team *team;
    int size;
    long cells[MOST];    /* plain memory: only the barrier orders it */
    atomic_int entered;
    int is_wrong;
};

/* Each round every member adds its neighbour's cell of the round before: one missed barrier and the sums differ. */
static void relay_entry(void *arg, int member) {
    struct relay *r = arg;
    atomic_fetch_add(&r->entered, 1);
    for (int i = 0; i < ROUNDS; i++) {
        long neighbour = r->cells[(member + 1) % r->size];
        team_barrier(r->team, member);
        if (neighbour != i) r->is_wrong = 1;
        r->cells[member]++;
        team_barrier(r->team, member);
    }
}

static void run_relay(int size, int is_bound, int runs) {
    struct error e = {0};
    struct relay r = {.size = size};
    ck_assert_int_eq(team_open(size, is_bound, &r.team, &e), STATUS_OK);
    ck_assert_int_eq(team_size(r.team), size);
    for (int i = 0; i < runs; i++) {
        for (int k = 0; k < size; k++) r.cells[k] = 0;
        atomic_store(&r.entered, 0);
        team_run(r.team, relay_entry, &r);
        ck_assert_int_eq(atomic_load(&r.entered), size);
        ck_assert_int_eq(r.is_wrong, 0);
        for (int k = 0; k < size; k++) ck_assert_int_eq((int)r.cells[k], ROUNDS);
    }
    team_close(r.team);
}

START_TEST(test_relay) {
    run_relay(1, 0, 20);
    run_relay(2, 0, 20);
    run_relay(3, 0, 3);
    run_relay(4, 0, 3);
    run_relay(6, 0, 1); /* two levels of the tree */
}
END_TEST

/* Members that wait longer than they spin sleep, and wake again. */
static void slow_entry(void *arg, int member) {
    struct relay *r = arg;
    const struct timespec pause = {0, 3000000};
    if (member == 0) nanosleep(&pause, NULL);
    team_barrier(r->team, member);
    if (member == r->size - 1) nanosleep(&pause, NULL);
    team_barrier(r->team, member);
    atomic_fetch_add(&r->entered, 1);
}

START_TEST(test_sleep) {
    struct error e = {0};
    struct relay r = {.size = 3};
    const struct timespec pause = {0, 2000000};
    ck_assert_int_eq(team_open(3, 0, &r.team, &e), STATUS_OK);
    for (int i = 0; i < 5; i++) {
        team_run(r.team, slow_entry, &r);
        nanosleep(&pause, NULL); /* between runs too */
    }
    ck_assert_int_eq(atomic_load(&r.entered), 15);
    team_close(r.team);
}
END_TEST

START_TEST(test_binding) {
    cpu_set_t before, after;
    struct error e = {0};
    struct team *t;
    CPU_ZERO(&before);
    CPU_ZERO(&after);
    ck_assert_int_eq(sched_getaffinity(0, sizeof before, &before), 0);
    int cores = CPU_COUNT(&before);
    ck_assert_int_eq(team_open(cores > MOST ? MOST : cores, 1, &t, &e), STATUS_OK);
    ck_assert_int_eq(team_is_bound(t), 1);
    ck_assert_int_eq(sched_getaffinity(0, sizeof after, &after), 0);
    ck_assert_int_eq(CPU_COUNT(&after), 1);
    team_close(t);
    ck_assert_int_eq(sched_getaffinity(0, sizeof after, &after), 0);
    ck_assert(CPU_EQUAL(&before, &after));
    /* more members than cores: not bound, but working */
    run_relay(2, 1, 2);
    if (cores < 3) {
        ck_assert_int_eq(team_open(3, 1, &t, &e), STATUS_OK);
        ck_assert_int_eq(team_is_bound(t), 0);
        team_close(t);
    }
}
END_TEST

START_TEST(test_sizes) {
    struct error e = {0};
    struct team *t;
    int n = team_default_size();
    ck_assert(n >= 1 && n <= TEAM_MAX_MEMBERS);
    ck_assert_int_eq(team_open(0, 0, &t, &e), STATUS_OK);
    ck_assert_int_eq(team_size(t), n);
    team_close(t);
    team_close(NULL);
    ck_assert_int_eq(team_open(65, 0, &t, &e), STATUS_INPUT);
}
END_TEST

TEST_MAIN("kernels.cpu_team", test_relay, test_sleep, test_binding, test_sizes)
