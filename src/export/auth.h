/* SPDX-License-Identifier: MIT */
/*
 * Who may ask: bearer tokens and users with hashed passwords.
 *
 * Secrets are compared in a time that does not depend on where they differ.  A password costs a hash by
 * crypt(3); the last one of each user that was right is remembered as a keyed digest, so that a scraper does
 * not pay that each time.  One hash is made at a time, one more waits for it, and addresses take turns
 * (turns.h): who guesses must not keep the others waiting, nor out.
 *
 * Threads: any; tokens and what is remembered never wait for a hash.
 */
#ifndef XM_AUTH_H
#define XM_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "xenmon/status.h"

#define XM_AUTH_MOST      256u /* tokens; users */
#define XM_AUTH_TOKEN_MIN 16u  /* characters: shorter ones can be guessed */
#define XM_AUTH_TOKEN_MAX 512u
#define XM_AUTH_FILE_MAX  65536u /* bytes of a file */

struct xm_auth;

/*
 * Reads the files; either path may be NULL, not both.
 *   tokens   one a line, printable ASCII without blanks; empty lines and such that begin with # are left out
 *   users    NAME:HASH a line, the hash as crypt(3) writes it (yescrypt, bcrypt, SHA-512, SHA-256); as of
 *   mkpasswd and htpasswd -B
 * A file that others may read or write is refused.  Where the users' hashes are of several methods or costs
 * one of each is made, to learn which is the dearest.
 * XM_OK; XM_IO; XM_DENIED; XM_LIMIT; XM_DAMAGED: err says which line, and why; XM_NOMEM.
 */
enum xm_status xm_auth_create(const char *tokens, const char *users, struct xm_auth **auth,
                              struct xm_error *err) XM_MUST_CHECK;
void xm_auth_destroy(struct xm_auth *auth); /* NULL is fine */

/* Reads the files again; on failure what was known stays.  The password of a user whose line is the same
 * stays remembered. */
enum xm_status xm_auth_reload(struct xm_auth *auth, struct xm_error *err) XM_MUST_CHECK;

enum xm_auth_verdict {
    XM_AUTH_NO,
    XM_AUTH_YES,
    XM_AUTH_BUSY /* a password that would need a hash, and other addresses go first: try again */
};

/*
 * Whether the value of an Authorization header (NULL: none) is good.  address: whence it comes, NULL counts
 * as a Unix socket.  user: who it was, "token" or the name, for the log; at most `size` bytes with the NUL;
 * "" where it was not.
 * Cost: a few digests.  A password that is not remembered takes as long as its user's hash, that of an
 * unknown user as long as the dearest one, up to some tenths of a second, and as long again where another one
 * has to be waited for; XM_AUTH_BUSY costs nothing.
 */
enum xm_auth_verdict xm_auth_check(struct xm_auth *auth, const struct sockaddr *address,
                                   const char *authorization, char *user, size_t size);

/* Whether that is one of the tokens, which is cheap to know: before anything else is asked about a client. */
bool xm_auth_has_token(struct xm_auth *auth, const char *authorization);

/* How often the files were read: what was let in by an older reading is to be asked again. */
unsigned xm_auth_generation(struct xm_auth *auth);

/* What is asked for, as WWW-Authenticate says it.  Static storage. */
const char *xm_auth_challenge(const struct xm_auth *auth);

/* Whether a and b, of so many bytes, are the same.  The time depends on the lengths alone. */
bool xm_auth_same(const void *a, size_t a_bytes, const void *b, size_t b_bytes);

#endif
