/* SPDX-License-Identifier: MIT */
/*
 * The region itself, for programs on other hosts: its description, its samples and its histograms, as they
 * are.
 *
 *     /api/v1/region              what a reader has to know: identity, capacities, rates, metrics, domains'
 *     names /api/v1/region/samples      ?series=fast|slow&after=INDEX (or from=INDEX)&limit=N: the samples
                                after that one, or from it on, oldest first; without either the newest
 *     /api/v1/region/histograms   ?first=SLOT&limit=N: those of so many vCPUs, from that slot on
 *
 * The bytes are those of export/mirror_format.h, packed with zstd for clients that accept it.  Read only; an
 * answer has at most a megabyte, or one sample where that is larger.
 */
#ifndef XM_MIRROR_H
#define XM_MIRROR_H

#include "export/http.h"

#define XM_MIRROR_LIMIT 64u /* samples, or vCPUs' histograms, of one answer */

struct xm_mirror;

/* path: of the region; borrowed until destroy.  NULL: no memory. */
struct xm_mirror *xm_mirror_create(const char *path);
void xm_mirror_destroy(struct xm_mirror *mirror); /* NULL is fine; the server must have stopped */

/* Its routes, for the server's configuration. */
struct xm_http_table xm_mirror_table(struct xm_mirror *mirror);

#endif
