/* SPDX-License-Identifier: MIT */
/*
 * A table of hosts: what is seen first of several, before one of them is looked at.
 *
 * A row is made from a region (xm_hosts_reader) and from what is known of the link to it; the table draws
 * rows, sorts and filters them and hears keys.  But for the reader it is pure.
 *
 * Threads: one structure, one thread.
 */
#ifndef XM_HOSTS_H
#define XM_HOSTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "front/terminal/grid.h"
#include "xenmon/status.h"

enum xm_hosts_link {
    XM_HOSTS_CONNECTING, /* nothing has been heard yet */
    XM_HOSTS_LIVE,
    XM_HOSTS_STALE,   /* the server answers, and its xenbaked gives no sign of life */
    XM_HOSTS_ENDED,   /* what its xenbaked read has ended */
    XM_HOSTS_GONE,    /* the server answers, and its xenbaked is dead or not there */
    XM_HOSTS_LOST,    /* the server does not answer */
    XM_HOSTS_REFUSED, /* it wants other credentials, or is not who it should be */
    XM_HOSTS_BAD,     /* it answers what cannot be understood */
    XM_HOSTS_LINKS
};

struct xm_hosts_row {
    char name[96]; /* UTF-8, sanitised */
    enum xm_hosts_link link;
    char said[240]; /* why it is not live, "" else */
    bool data;      /* false: nothing below is known */
    bool rates;     /* false: there is no window to tell busy, waiting and the worst domain from */
    double busy;    /* of the pCPUs' time in the last second, 0 to 1 */
    double waiting; /* vCPUs that waited, on average over that second */
    uint32_t pcpus, domains, vcpus;
    uint64_t lost;     /* records, in the last minute at most */
    char worst[64];    /* the domain that waited most, "" where none did */
    double worst_wait; /* of its vCPUs' time, 0 to 1 */
    uint64_t age_ns;   /* since its newest sample came, by our clock */
};

/* ---- What a region says. */

struct xm_hosts_reader;

/* path: of a region, which need not exist yet; copied.  NULL: no memory. */
struct xm_hosts_reader *xm_hosts_reader_create(const char *path);
void xm_hosts_reader_destroy(struct xm_hosts_reader *reader); /* NULL is fine */

/* Fills `data` and what depends on it, but the age.  Never blocks; O(rows) of three samples. */
void xm_hosts_read(struct xm_hosts_reader *reader, struct xm_hosts_row *row);

/* ---- The table. */

enum xm_hosts_column {
    XM_HOSTS_NAME,
    XM_HOSTS_LINK,
    XM_HOSTS_BUSY,
    XM_HOSTS_WAITING,
    XM_HOSTS_DOMAINS,
    XM_HOSTS_VCPUS,
    XM_HOSTS_LOST_RECORDS,
    XM_HOSTS_AGE,
    XM_HOSTS_WORST,
    XM_HOSTS_COLUMNS
};

#define XM_HOSTS_MOST 64u

struct xm_hosts_choice {
    enum xm_hosts_column sort;
    bool reverse; /* names and links: the last first; numbers: the smallest first */
    char filter
        [64];    /* only hosts with this in their name, link or worst domain; ASCII letters in either case */
    bool typing; /* keys go into the filter */
    bool help;
    uint32_t cursor; /* number of a row, as it came, not as it is sorted */
    uint32_t top;    /* first line on the screen */
    bool quit;       /* set by a key */
    bool enter;      /* set by a key: look at the host of the cursor; cleared by whoever does it */
};

/*
 * The rows that are shown, in their order: *order has room for `count` numbers.  Returns how many.  Rows that
 * compare equal stay as they came.  At most XM_HOSTS_MOST.
 */
uint32_t xm_hosts_order(const struct xm_hosts_row *rows, uint32_t count, const struct xm_hosts_choice *choice,
                        uint32_t *order);

/* A key (front/terminal/keys.h).  False: it means nothing here. */
bool xm_hosts_key(struct xm_hosts_choice *choice, const struct xm_hosts_row *rows, uint32_t count, int key);

/*
 * Draws the table on the whole grid.  live: for a terminal, with cursor and keys; false: for text.  Moves
 * choice->top so that the cursor is on the screen.
 */
void xm_hosts_draw(const struct xm_hosts_row *rows, uint32_t count, struct xm_hosts_choice *choice, bool live,
                   struct xm_grid *grid);

/* Lines of text that all rows take. */
unsigned xm_hosts_height(uint32_t count);

#endif
