/* ceiling.c: the machine's limits, a dated set at a time; and the cache of costly results. */
#include <math.h>
#include <string.h>
#include <time.h>

#include "results/store/internal.h"

static enum status insert_set(struct store *s, const struct id *id, const struct id *machine,
                              const struct ceiling_set *set, struct error *e) {
    enum status status = store_run(s, e, "INSERT INTO ceiling_set VALUES(?, ?, ?, ?)", "ttir", id->text, machine->text,
                                   set->created_unix_ns, set->noise);
    for (int i = 0; i < set->count && status == STATUS_OK; i++) {
        const struct ceiling_record *r = &set->items[i];
        status = store_run(s, e, "INSERT INTO ceiling VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", "tittti" "rrrr", id->text,
                           (int64_t)i, r->kind, r->unit ? r->unit : "", r->pattern, (int64_t)r->threads,
                           r->working_set_bytes, r->value, r->low, r->high);
    }
    return status;
}

enum status store_ceilings(struct store *s, const struct machine_record *machine, const struct ceiling_set *set,
                           struct error *e) {
    struct id id, machine_id;
    enum status status = id_draw(&id, e);
    if (status == STATUS_OK) status = store_begin(s, e);
    if (status != STATUS_OK) return status;
    status = store_machine(s, machine, &machine_id, e);
    if (status == STATUS_OK) status = insert_set(s, &id, &machine_id, set, e);
    return store_end(s, status, e);
}

enum status store_ceilings_newest(struct store *s, const struct machine_record *machine, struct arena *a,
                                  struct ceiling_set *out, struct error *e) {
    struct id id;
    *out = (struct ceiling_set){.noise = NAN};
    facts_identity(machine->facts, machine->n_facts, &id);
    sqlite3_stmt *q = store_query(s, e,
        "SELECT created_unix_ns, noise, kind, unit, pattern, threads, working_set_bytes, value, low, high,\n"
        "count(*) OVER () FROM v_ceiling_set WHERE set_id = (SELECT set_id FROM v_ceiling_set WHERE machine_id = ?\n"
        "ORDER BY created_unix_ns DESC LIMIT 1) ORDER BY line", "t", id.text);
    struct ceiling_record *items = NULL;
    int row = -1;
    while (q && (row = store_next(s, q, e)) == 1) {
        if (!items) items = arena_alloc(a, (size_t)sqlite3_column_int(q, 10) * sizeof *items);
        out->created_unix_ns = sqlite3_column_int64(q, 0);
        out->noise = store_real(q, 1);
        items[out->count++] = (struct ceiling_record){
            .kind = store_text(a, q, 2), .unit = store_text(a, q, 3), .pattern = store_text_or_null(a, q, 4),
            .threads = sqlite3_column_int(q, 5), .working_set_bytes = store_real(q, 6), .value = store_real(q, 7),
            .low = store_real(q, 8), .high = store_real(q, 9)};
    }
    out->items = items;
    return row < 0 ? STATUS_STORE : STATUS_OK;
}

enum status store_cache_put(struct store *s, const char *key, const void *value, size_t bytes, struct error *e) {
    return store_run(s, e, "INSERT OR REPLACE INTO cache VALUES(?, ?, ?)", "tbi", key, bytes ? value : "", bytes,
                     (int64_t)time(NULL) * 1000000000);
}

enum status store_cache_get(struct store *s, const char *key, void **value, size_t *bytes, struct error *e) {
    *value = NULL;
    *bytes = 0;
    sqlite3_stmt *q = store_query(s, e, "SELECT value FROM cache WHERE key = ?", "t", key);
    int row = q ? store_next(s, q, e) : -1;
    if (row == 1) {
        *bytes = (size_t)sqlite3_column_bytes(q, 0);
        *value = mem_alloc(*bytes + 1);
        if (*bytes) memcpy(*value, sqlite3_column_blob(q, 0), *bytes);
        store_done(q);
    }
    return row < 0 ? STATUS_STORE : STATUS_OK;
}
