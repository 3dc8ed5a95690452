/* recorder.h: device activity as CUPTI records it, read into the common form (kernels/activity.h).
 *
 * Buffers come from a pool made beforehand and are read by a thread of the recorder's, off the launching thread. Work
 * gets its owner from the innermost id that was pushed on the launching thread; under a captured graph from the id that
 * was pushed when its node was captured (nodes keep it when they are cloned), and, in the high half, from the launch.
 * One recorder a process: CUPTI has one subscriber. Owners are made by recorder_owner. */
#ifndef ASSAY_KERNELS_CUDA_RECORDER_H
#define ASSAY_KERNELS_CUDA_RECORDER_H

#include "kernels/activity.h"
#include "kernels/base/status.h"
#include "kernels/cuda/cupti.h"

struct recorder;

/* launch: from 1, 40 bits; part: below 2^24. Of a node in a graph the part is the captured one's. */
enum { RECORDER_PART_BITS = 24 };
static inline uint64_t recorder_owner(uint64_t launch, uint32_t part) { return launch << RECORDER_PART_BITS | part; }
static inline uint64_t recorder_launch(uint64_t owner) { return owner >> RECORDER_PART_BITS; }
static inline uint32_t recorder_part(uint64_t owner) { return (uint32_t)(owner & ((1u << RECORDER_PART_BITS) - 1)); }

/* What of a captured graph becomes an operation. BY_NODE: each node, with the part of what was captured. BY_GRAPH: each
 * launch as a whole (is_in_graph, no owner's part). BY_LAUNCH: each node, but its owner is that of the launch alone; and
 * owners stay listed in the activity, for whoever has put all that was taken together. */
enum recorder_graphs { RECORDER_BY_NODE, RECORDER_BY_GRAPH, RECORDER_BY_LAUNCH };

/* Subscribes and begins to record. Errors: UNSUPPORTED another tool is attached, or no permission, with the remedy;
 * BACKEND anything else that CUPTI says. */
enum status recorder_open(const struct cupti *library, enum recorder_graphs graphs, struct recorder **out, struct error *e);
void recorder_close(struct recorder *r);       /* NULL is fine */
uint32_t recorder_version(const struct recorder *r);
/* From now on; between BY_NODE and BY_GRAPH. */
enum status recorder_set_graphs(struct recorder *r, enum recorder_graphs graphs, struct error *e);

/* On the launching thread; nested ids hide each other. */
void recorder_push(struct recorder *r, uint64_t owner);
void recorder_pop(struct recorder *r);

/* After the device is idle: reads all there is. What was recorded since the last call is the caller's; owners are set,
 * operations are not joined to calls yet. */
enum status recorder_take(struct recorder *r, struct activity *out, struct error *e);
/* While work goes on, BY_LAUNCH: what is finished and was not taken yet; some of it may still come later. */
enum status recorder_take_finished(struct recorder *r, struct activity *out, struct error *e);
/* In the child of a fork: the parent's recorder is not its own; it may open another. */
void recorder_forget(void);
/* CUPTI's clock, in ns: the system's, which may be set. It was, if against one that nobody sets it moved by more than: */
uint64_t recorder_now(const struct recorder *r);
enum { RECORDER_CLOCK_STEP_NS = 1000000 };

/* Reads one filled buffer into what is being recorded: the way in for replayed buffers in tests. */
void recorder_read(struct recorder *r, uint8_t *buffer, size_t valid);
/* A recorder that is not subscribed: for recorder_read alone. */
struct recorder *recorder_for_replay(const struct cupti *library);
void recorder_note_node(struct recorder *r, uint64_t node, uint64_t original, uint64_t owner);

#endif
