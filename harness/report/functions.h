/* functions.h: how the report writes numbers, as SQL functions of a connection. NULL where the number is NULL.
 *   as_time(ns)                        "12.3 ms"
 *   as_size(bytes)                     "1.23 GB", decimal
 *   as_value(x, unit)                  by the unit: times and sizes as above, else "1.23 unit"
 *   as_span(median, low, high, unit)   "12.3 ms [12.1, 12.6]": one unit for all three
 *   as_ratio(ratio, low, high)         "×1.31 [1.27, 1.35]"
 *   as_percent(share)                  "12.3 %"
 *   as_date(unix_ns)                   "2026-01-31 12:00 UTC"
 *   as_metric(name)                    "end-to-end time" for e2e_ns, …; a name unknown here stays as it is */
#ifndef ASSAY_HARNESS_REPORT_FUNCTIONS_H
#define ASSAY_HARNESS_REPORT_FUNCTIONS_H

#include <sqlite3.h>

#include "kernels/base/status.h"

enum status functions_register(sqlite3 *db, struct error *e);

#endif
