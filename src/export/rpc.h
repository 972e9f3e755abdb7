/* SPDX-License-Identifier: MIT */
/*
 * XML-RPC: the questions of export/answers.h as methods, with introspection (system.listMethods,
 * system.methodHelp, system.methodSignature).  Answers are structs with the API's names; null is <nil/>. What
 * is refused is a fault whose code is HTTP's status for it, and whose text begins with the API's code.
 *
 * Threads: one xm_rpc may be used by any number of threads.
 */
#ifndef XM_EXPORT_RPC_H
#define XM_EXPORT_RPC_H

#include <stdbool.h>
#include <stddef.h>

#include "export/answers.h"
#include "xenmon/status.h"

#define XM_RPC_CALL_BYTES (64u * 1024u) /* of a call */
#define XM_RPC_DEPTH      32u           /* elements within each other in it */
#define XM_RPC_ANSWERS    16u           /* answers within a system.multicall; see xm_ask.until_ns */
#define XM_RPC_VALUES     200000u       /* in all of them together; a single answer may have more */

struct xm_rpc;

/* XM_OK; XM_NOMEM.  Sets limits of xmlrpc-c that hold for the whole process: call it before there are
 * threads. */
enum xm_status xm_rpc_create(struct xm_rpc **rpc, struct xm_error *err) XM_MUST_CHECK;
void xm_rpc_destroy(struct xm_rpc *rpc); /* NULL is fine */

/*
 * Carries out one call: XML in, XML out, also where the call makes no sense (a fault).  write gets the answer
 * in one piece.  XM_OK; XM_NOMEM: nothing was written.
 */
enum xm_status xm_rpc_call(struct xm_rpc *rpc, const struct xm_ask *ask, const char *xml, size_t bytes,
                           bool (*write)(void *user, const void *data, size_t bytes),
                           void *user) XM_MUST_CHECK;

/*
 * Whether a call is worth handing to the parser: not too large, UTF-8 without a NUL and not declared to be
 * anything else, no document type, no <i8>, no element deeper than XM_RPC_DEPTH.  Pure; a copy and a pass or
 * two; false also when out of memory.
 */
bool xm_rpc_fits(const char *xml, size_t bytes);

#endif
