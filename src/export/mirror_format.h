/* SPDX-License-Identifier: MIT */
/*
 * The bytes in which a region goes over the network, version 1: what GET /api/v1/region and what is below it
 * answer.
 *
 * Integers are little-endian, texts are UTF-8 padded with zeros, nothing is aligned.  Every answer begins
 * with the head; what follows depends on its kind.  Like the region itself it describes its metrics by name,
 * so that programs that know different ones understand each other; doc/api.md says the same for other
 * languages.
 *
 *     head        magic "XENMONMR", u32 version, u32 kind, u64 bytes of the whole answer, u64 schema,
 *                 u64 creation id, u64 lineage id, u32 state (enum xm_writer_state), u32 1: the writer is
 *                 gone, u64 ns since the writer's last sign of life, u64 newest fast index, u64 newest slow
 *                 index (~0: none), u32 the writer's pid, u32 reserved
 *     region      u32 source, u32 io_seen, u32 version, u32 buckets of a histogram, u64 tsc_hz, u64 events,
 *                 u64 buffer_bytes, u64 host_cpus, u32 capacity: domains, vCPUs, pCPUs, u32 reserved,
 *                 u64 interval in ns and u64 slots, of the fast and then of the slow series, 16 u64 records
 *                 by class, 16 u64 anomalies, char tsc_hz_from[16], states_from[16], source_name[128],
 *                 hypervisor[32], scheduler[16], u32 metrics, u32 domains;
 *                 for each metric: u8 scope, u8 kind, u8 unit, u8 series (1 fast, 2 slow, 3 both), u16
 *                 values, u16 bytes of one value, char name[32];
 *                 for each domain: u32 slot, u32 reserved, u64 id, u64 created tsc, u64 ended tsc, char
 *                 name[64], char uuid[40]
 *     samples     u32 series, u32 samples; for each: u64 index, u32 rows of domains, vCPUs, pCPUs, pairs; the
 *                 host's row; the domains' rows; for each vCPU u32 the slot of its domain and its row; the
 *                 pCPUs' rows; for each pair that is not all 0: u32 the slot of its domain, u32 that of its
 *                 pCPU, and its row
 *     histograms  u32 buckets of a histogram, u32 vCPUs, u32 the slot to ask for next (0: that was the last
 *                 one), u32 reserved; for each vCPU: u32 slot, u32 reserved, u64 id; then for executions,
 *                 waits and blocked times each: u32 n, and n times u32 bucket, u64 count.  Buckets that are
 *                 not there are 0
 *
 * A row is the values of the metrics of its scope that the series has, in the order of the description.  The
 * schema is a number that is another one where the description is: rows are understood by the description of
 * the same schema.
 */
#ifndef XM_MIRROR_FORMAT_H
#define XM_MIRROR_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#define XM_MIRROR_MAGIC   "XENMONMR"
#define XM_MIRROR_VERSION 1u
#define XM_MIRROR_TYPE    "application/octet-stream"

enum xm_mirror_kind { XM_MIRROR_REGION = 1, XM_MIRROR_SAMPLES = 2, XM_MIRROR_HISTOGRAMS = 3 };

#define XM_MIRROR_DOMAIN_BYTES 136u
#define XM_MIRROR_WORDS        16u /* classes, and anomalies */

#define XM_MIRROR_IN_FAST 1u
#define XM_MIRROR_IN_SLOW 2u

/* No answer is longer, and no honest one nearly as long: a client takes in no more. */
#define XM_MIRROR_MOST_BYTES   (UINT32_C(64) << 20)
#define XM_MIRROR_MOST_METRICS 1024u

#endif
