#include "results/stats/power.h"

#include <math.h>

#include "results/stats/distribution.h"

enum { NODES = 256, BISECTIONS = 50 };

struct node {
    double ratio, weight;   /* s over the true standard error, and its share; weights sum to 1 */
};

/* s/se is a chi with df degrees over sqrt(df): density ~ r^(df-1) exp(-df r^2 / 2), spread 1/sqrt(2 df). */
static void nodes_fill(double df, struct node nodes[NODES + 1]) {
    double spread = 8.0 / sqrt(2.0 * df), low = fmax(0.0, 1.0 - spread), high = 1.0 + spread, sum = 0.0;
    for (int i = 0; i <= NODES; i++) {
        double r = low + (high - low) * i / NODES;
        double simpson = i == 0 || i == NODES ? 1.0 : i % 2 ? 4.0 : 2.0;
        double log_density = (r > 0.0 ? (df - 1.0) * log(r) : df > 1.0 ? -INFINITY : 0.0) - 0.5 * df * (r * r - 1.0);
        nodes[i] = (struct node){r, simpson * exp(log_density)};
        sum += nodes[i].weight;
    }
    for (int i = 0; i <= NODES; i++) nodes[i].weight /= sum;
}

static double power_over(const struct power_test *test, const struct node *nodes, double effect) {
    double power = 0.0;
    for (int i = 0; i <= NODES; i++) {
        double needed = fmax(test->least, test->widen + test->critical * test->standard_error * nodes[i].ratio);
        double z = test->standard_error > 0.0 ? (effect - needed) / test->standard_error
                   : effect >= needed         ? INFINITY
                                              : -INFINITY;
        power += nodes[i].weight * normal_cdf(z);
    }
    return power;
}

double power_at(const struct power_test *test, double effect) {
    struct node nodes[NODES + 1];
    nodes_fill(test->df, nodes);
    return power_over(test, nodes, effect);
}

double power_detectable(const struct power_test *test, double power) {
    if (!isfinite(test->standard_error) || !isfinite(test->critical)) return NAN;
    struct node nodes[NODES + 1];
    nodes_fill(test->df, nodes);
    double low = 0.0, high = fmax(test->least, test->widen) + (2.0 * test->critical + 4.0) * test->standard_error;
    while (power_over(test, nodes, high) < power && high < 1e6) high *= 2.0;
    for (int step = 0; step < BISECTIONS; step++) {
        double middle = 0.5 * (low + high);
        if (power_over(test, nodes, middle) < power) low = middle;
        else high = middle;
    }
    return high;
}
