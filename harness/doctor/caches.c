#include "harness/doctor/caches.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/doctor/findings.h"

enum { INDEX_MAX = 8 };

static int read_part(int index, const char *part, char *out, size_t bytes) {
    char path[128];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/%s", index, part);
    return line_read(path, out, bytes);
}

static long bytes_of(const char *size) {
    char *end;
    long value = strtol(size, &end, 10);
    return *end == 'K' ? value * 1024 : *end == 'M' ? value * 1024 * 1024 : value;
}

long cache_bytes(int level) {
    static const int names[] = {_SC_LEVEL1_DCACHE_SIZE, _SC_LEVEL2_CACHE_SIZE, _SC_LEVEL3_CACHE_SIZE};
    for (int i = 0; i < INDEX_MAX; i++) {
        char text[32], type[32], size[32];
        if (!read_part(i, "level", text, sizeof text) || atoi(text) != level) continue;
        if (!read_part(i, "type", type, sizeof type) || strcmp(type, "Instruction") == 0) continue;
        if (read_part(i, "size", size, sizeof size)) return bytes_of(size);
    }
    long bytes = sysconf(names[level - 1]);
    return bytes > 0 ? bytes : 0;
}
