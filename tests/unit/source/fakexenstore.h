/* SPDX-License-Identifier: MIT */
/*
 * A libxenstore for tests: a shared library with the four calls that XenMon uses, and what a test does to the daemon
 * behind it.  Its state is the library's own; a test that links it and loads it by its path has one.
 *
 * Threads: any.
 */
#ifndef FAKEXENSTORE_H
#define FAKEXENSTORE_H

#include <stdbool.h>
#include <stddef.h>

void fake_xs_reset(void); /* an empty store, a healthy daemon, counts of 0 */

/* A value of any bytes, handed out in a block of exactly that size; errors: the call fails so (0: not any more). */
void fake_xs_put(const char *path, const void *bytes, size_t size);
void fake_xs_remove(const char *path);
void fake_xs_fail(const char *path, int error);

void fake_xs_refuse(bool refuse); /* no connections */
void fake_xs_break(void);         /* those there are break */
void fake_xs_hang(bool hang);     /* every call waits for as long as this is so */

unsigned fake_xs_tried(void);   /* connections asked for */
unsigned fake_xs_opened(void);  /* connections made, and */
unsigned fake_xs_open(void);    /* still there */
unsigned fake_xs_waiting(void); /* calls that hang now */
unsigned fake_xs_read(const char *path); /* reads of it so far */

#endif
