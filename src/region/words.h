/* SPDX-License-Identifier: MIT */
/*
 * Words that one process writes while others read them, and the sequence that makes them whole.
 *
 * The writer of a sequenced group:            A reader:
 *
 *   w1  store seq = odd        relaxed          r1  load seq, even       relaxed
 *   w2  fence                  release          r2  fence                acquire
 *   w3  store payload words    relaxed          r3  load payload words   relaxed
 *   w4  store seq = even       release          r4  fence                acquire
 *                                               r5  load seq again       relaxed
 *
 * If r1 read what w4 stored, w4 (release) and r2 (acquire) make all of w3 visible to r3.  If any load of
 * r3 read a word of a later w3, the later w2 (release) and r4 (acquire) make that w1 visible to r5,
 * which then differs from r1: the copy is thrown away.  So a copy whose r1 and r5 agree on an even value
 * holds one whole group.
 *
 * Nothing here waits: a writer never looks at readers, and a writer killed between w1 and w4 leaves an
 * odd sequence that readers recognise.
 *
 * The reader of a file does r1, r3 and r5 with pread(2) (see src/region/bytes.h).  Formally the kernel's
 * copies are outside of C's memory model; in the machine they are loads of the same CPU, which the
 * fences order like any.
 */
#ifndef XM_WORDS_H
#define XM_WORDS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* gcc's ThreadSanitizer does not model fences, and says so; every shared word is an atomic, so it misses nothing
 * but the order, and reports nothing that is not so. */
#if defined(__SANITIZE_THREAD__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wtsan"
#endif

_Static_assert(sizeof(_Atomic uint64_t) == sizeof(uint64_t), "words are plain words");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "words are written without a lock");

/* The word at `offset` bytes, a multiple of 8, from `base`. */
static inline _Atomic uint64_t *xm_word(void *base, uint64_t offset)
{
    return (_Atomic uint64_t *)(void *)((unsigned char *)base + offset);
}

/* Stores `bytes` bytes as words; the last one is filled up with zeros. */
static inline void xm_words_store(_Atomic uint64_t *to, const void *from, size_t bytes)
{
    const unsigned char *at = from;
    for (; bytes >= 8; bytes -= 8, at += 8, to++) {
        uint64_t word;
        memcpy(&word, at, 8);
        /* relaxed: ordered by w2 and w4 around the whole group */
        atomic_store_explicit(to, word, memory_order_relaxed);
    }
    if (bytes) {
        uint64_t word = 0;
        memcpy(&word, at, bytes);
        atomic_store_explicit(to, word, memory_order_relaxed); /* as above */
    }
}

/* Loads `bytes` bytes as words; reads the whole last word, stores what was asked for. */
static inline void xm_words_load(void *to, const _Atomic uint64_t *from, size_t bytes)
{
    unsigned char *at = to;
    for (; bytes >= 8; bytes -= 8, at += 8, from++) {
        /* relaxed: ordered by r2 and r4 around the whole group */
        uint64_t word = atomic_load_explicit(from, memory_order_relaxed);
        memcpy(at, &word, 8);
    }
    if (bytes) {
        uint64_t word = atomic_load_explicit(from, memory_order_relaxed); /* as above */
        memcpy(at, &word, bytes);
    }
}

/* w1 and w2. */
static inline void xm_seq_begin(_Atomic uint64_t *seq, uint64_t odd)
{
    atomic_store_explicit(seq, odd, memory_order_relaxed); /* published by the fence */
    atomic_thread_fence(memory_order_release);             /* partner: r4, xm_seq_after() */
}

/* w4. */
static inline void xm_seq_end(_Atomic uint64_t *seq, uint64_t even)
{
    atomic_store_explicit(seq, even, memory_order_release); /* partner: r2, xm_seq_before() */
}

/* r2: between the first load of the sequence and the payload. */
static inline void xm_seq_before(void)
{
    atomic_thread_fence(memory_order_acquire); /* partner: w4, xm_seq_end() */
}

/* r4: between the payload and the second load of the sequence. */
static inline void xm_seq_after(void)
{
    atomic_thread_fence(memory_order_acquire); /* partner: w2, xm_seq_begin() */
}

#endif
