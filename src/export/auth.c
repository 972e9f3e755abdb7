/* SPDX-License-Identifier: MIT */
#include "export/auth.h"

#include <crypt.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/secret.h"
#include "export/limits.h"
#include "export/turns.h"
#include "xenmon/units.h"

#define NAME_MAX_BYTES 64u
#define HASH_MAX_BYTES 384u
#define PASSWORD_MAX   512u
#define DIGEST         32u /* SHA-256 */
#define KEY            32u

struct token {
    char text[XM_AUTH_TOKEN_MAX + 1];
    size_t bytes;
};

struct user {
    char name[NAME_MAX_BYTES + 1];
    char hash[HASH_MAX_BYTES + 1];
    bool remembered;
    uint8_t digest[DIGEST]; /* of the password that was right last */
};

struct known {
    size_t tokens, users;
    /* The user whose hash takes longest: who does not exist takes as long, so that time tells no names. */
    size_t dearest;
    struct token token[XM_AUTH_MOST];
    struct user user[XM_AUTH_MOST];
};

struct xm_auth {
    char *token_path, *user_path;
    pthread_mutex_t lock; /* of known; never held while a password is hashed */
    struct known *known;
    unsigned generation;
    struct xm_turns *turns;
    struct crypt_data crypt; /* 32 kB: not on a stack; whose turn it is */
    uint8_t key[KEY];
};

/* ---- Comparing. */

bool xm_auth_same(const void *a, size_t a_bytes, const void *b, size_t b_bytes)
{
    const volatile uint8_t *x = a;
    const volatile uint8_t *y = b;
    size_t different = a_bytes ^ b_bytes;
    for (size_t i = 0; i < a_bytes; i++)
        different |= (size_t)(x[i] ^ (b_bytes ? y[i % b_bytes] : 0));
    return different == 0;
}

/* crypt(3) here can check it, and the method is none that is broken. */
static bool hash_good(const char *hash)
{
    static const char *const methods[] = {"$y$", "$gy$", "$7$", "$2b$", "$2y$", "$2a$", "$6$", "$5$"};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (strncmp(hash, methods[i], strlen(methods[i])) == 0) {
            int checked = crypt_checksalt(hash);
            /* Legacy is what libcrypt calls SHA-256; what is broken is not in this list. */
            return checked == CRYPT_SALT_OK || checked == CRYPT_SALT_TOO_CHEAP ||
                   checked == CRYPT_SALT_METHOD_LEGACY;
        }
    return false;
}

/* ---- Files. */

typedef const char *take_line(struct known *known, char *line); /* NULL, or what is wrong */

static const char *take_token(struct known *known, char *line)
{
    size_t bytes = strlen(line);
    if (bytes < XM_AUTH_TOKEN_MIN || bytes > XM_AUTH_TOKEN_MAX)
        return "a token has 16 to 512 characters";
    for (size_t i = 0; i < bytes; i++)
        if (line[i] <= ' ' || line[i] > '~')
            return "a token has printable ASCII without blanks";
    if (known->tokens == XM_AUTH_MOST)
        return "there are at most 256 tokens";
    struct token *t = &known->token[known->tokens++];
    memcpy(t->text, line, bytes + 1);
    t->bytes = bytes;
    return NULL;
}

static const char *take_user(struct known *known, char *line)
{
    char *colon = strchr(line, ':');
    if (!colon || colon == line)
        return "a line is NAME:HASH";
    *colon = '\0';
    const char *hash = colon + 1;
    if (strlen(line) > NAME_MAX_BYTES || strlen(hash) > HASH_MAX_BYTES)
        return "a name has at most 64 bytes, a hash 384";
    for (const char *c = line; *c; c++)
        if (*c <= ' ' || *c > '~')
            return "a name has printable ASCII without blanks";
    if (!hash_good(hash))
        return "the hash is none of yescrypt, bcrypt, SHA-512 or SHA-256, as 'mkpasswd' or 'htpasswd -B' "
               "write them";
    for (size_t i = 0; i < known->users; i++)
        if (strcmp(known->user[i].name, line) == 0)
            return "that user is there already";
    if (known->users == XM_AUTH_MOST)
        return "there are at most 256 users";
    struct user *u = &known->user[known->users++];
    memcpy(u->name, line, strlen(line) + 1);
    memcpy(u->hash, hash, strlen(hash) + 1);
    return NULL;
}

static enum xm_status read_lines(const char *path, struct known *known, take_line *take, struct xm_error *err)
{
    char *text = NULL;
    size_t size = 0;
    unsigned number = 0;
    enum xm_status status = xm_secret_read(path, XM_AUTH_FILE_MAX, &text, &size, err);
    char *rest = text;
    while (status == XM_OK && rest && *rest) {
        char *line = strsep(&rest, "\n");
        size_t bytes = strlen(line);
        number++;
        if (bytes && line[bytes - 1] == '\r')
            line[--bytes] = '\0';
        if (bytes == 0 || *line == '#')
            continue;
        const char *wrong = take(known, line);
        if (wrong)
            status = xm_fail(err, XM_DAMAGED, XM_NO_OFFSET, "%s:%u: %s", path, number, wrong);
    }
    xm_secret_free(text, size);
    return status;
}

static void forget(struct known *known)
{
    if (known)
        explicit_bzero(known, sizeof *known);
    free(known);
}

/* The bytes of a hash that say its method and its cost: all before the salt. */
static size_t settings_of(const char *hash)
{
    if (strncmp(hash, "$7$", 3) == 0)
        return 3 + 11 < strlen(hash) ? 3 + 11 : strlen(hash); /* N, r and p in 1, 5 and 5 characters */
    if ((hash[1] == '5' || hash[1] == '6') && strncmp(hash + 3, "rounds=", 7) != 0)
        return 3;
    const char *end = strchr(hash + 1, '$'); /* the method's; the good ones all have it */
    const char *cost = end ? strchr(end + 1, '$') : NULL;
    return cost ? (size_t)(cost - hash) + 1 : strlen(hash);
}

static bool same_settings(const char *a, const char *b)
{
    size_t bytes = settings_of(a);
    return bytes == settings_of(b) && memcmp(a, b, bytes) == 0;
}

static uint64_t cost_ns(const char *hash, struct crypt_data *crypt)
{
    struct timespec from;
    struct timespec to;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
    const char *made = crypt_rn("the password of nobody", hash, crypt, (int)sizeof *crypt);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
    if (!made)
        return 0;
    return (uint64_t)(to.tv_sec - from.tv_sec) * XM_NS_PER_S + (uint64_t)to.tv_nsec - (uint64_t)from.tv_nsec;
}

/* The first user whose hash has these settings. */
static size_t first_like(const struct known *known, size_t user)
{
    size_t i = 0;
    while (!same_settings(known->user[i].hash, known->user[user].hash))
        i++;
    return i;
}

/* Costs of different methods cannot be told from their settings: they are measured, where there are several.
 */
static enum xm_status find_dearest(struct known *known, struct xm_error *err)
{
    uint64_t most_ns = 0;
    bool several = false;
    for (size_t i = 1; i < known->users; i++)
        several |= first_like(known, i) != 0;
    struct crypt_data *crypt = several ? calloc(1, sizeof *crypt) : NULL;
    if (several && !crypt)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    for (size_t i = 0; several && i < known->users; i++) {
        uint64_t ns = first_like(known, i) == i ? cost_ns(known->user[i].hash, crypt) : 0;
        if (ns > most_ns) {
            most_ns = ns;
            known->dearest = i;
        }
    }
    free(crypt);
    return XM_OK;
}

static enum xm_status read_known(const struct xm_auth *auth, struct known **known, struct xm_error *err)
{
    struct known *k = calloc(1, sizeof *k);
    if (!k)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    enum xm_status status = XM_OK;
    if (auth->token_path)
        status = read_lines(auth->token_path, k, take_token, err);
    if (status == XM_OK && auth->token_path && k->tokens == 0)
        status = xm_fail(err, XM_DAMAGED, XM_NO_OFFSET, "%s: there is no token in it", auth->token_path);
    if (status == XM_OK && auth->user_path)
        status = read_lines(auth->user_path, k, take_user, err);
    if (status == XM_OK && auth->user_path && k->users == 0)
        status = xm_fail(err, XM_DAMAGED, XM_NO_OFFSET, "%s: there is no user in it", auth->user_path);
    if (status == XM_OK)
        status = find_dearest(k, err);
    if (status != XM_OK) {
        forget(k);
        return status;
    }
    *known = k;
    return XM_OK;
}

enum xm_status xm_auth_create(const char *tokens, const char *users, struct xm_auth **auth,
                              struct xm_error *err)
{
    struct xm_auth *a = calloc(1, sizeof *a);
    *auth = NULL;
    if (!a)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    pthread_mutex_init(&a->lock, NULL);
    a->turns = xm_turns_create();
    a->token_path = tokens ? strdup(tokens) : NULL;
    a->user_path = users ? strdup(users) : NULL;
    enum xm_status status = XM_OK;
    if (!a->turns || (tokens && !a->token_path) || (users && !a->user_path))
        status = xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    else if (gnutls_rnd(GNUTLS_RND_KEY, a->key, sizeof a->key) < 0)
        status = xm_fail(err, XM_IO, XM_NO_OFFSET, "no random numbers");
    else
        status = read_known(a, &a->known, err);
    if (status != XM_OK) {
        xm_auth_destroy(a);
        return status;
    }
    *auth = a;
    return XM_OK;
}

void xm_auth_destroy(struct xm_auth *auth)
{
    if (!auth)
        return;
    forget(auth->known);
    free(auth->token_path);
    free(auth->user_path);
    pthread_mutex_destroy(&auth->lock);
    xm_turns_destroy(auth->turns);
    explicit_bzero(auth, sizeof *auth);
    free(auth);
}

static struct user *find_user(struct known *known, const char *name)
{
    for (size_t i = 0; i < known->users; i++)
        if (strcmp(known->user[i].name, name) == 0)
            return &known->user[i];
    return NULL;
}

static void keep_remembered(struct known *fresh, struct known *old)
{
    for (size_t i = 0; i < fresh->users; i++) {
        struct user *to = &fresh->user[i];
        const struct user *from = find_user(old, to->name);
        if (from && from->remembered && strcmp(from->hash, to->hash) == 0)
            *to = *from;
    }
}

enum xm_status xm_auth_reload(struct xm_auth *auth, struct xm_error *err)
{
    struct known *fresh = NULL;
    enum xm_status status = read_known(auth, &fresh, err);
    if (status != XM_OK || !fresh)
        return status;
    pthread_mutex_lock(&auth->lock);
    struct known *old = auth->known;
    keep_remembered(fresh, old);
    auth->known = fresh;
    auth->generation++;
    pthread_mutex_unlock(&auth->lock);
    forget(old);
    return XM_OK;
}

unsigned xm_auth_generation(struct xm_auth *auth)
{
    pthread_mutex_lock(&auth->lock);
    unsigned generation = auth->generation;
    pthread_mutex_unlock(&auth->lock);
    return generation;
}

/* ---- Checking. */

static bool check_token(const struct known *known, const char *token)
{
    size_t bytes = strlen(token);
    bool good = false;
    for (size_t i = 0; i < known->tokens; i++) /* all of them: which one it was is nobody's business */
        good |= xm_auth_same(known->token[i].text, known->token[i].bytes, token, bytes);
    return good;
}

static bool digest_of(const struct xm_auth *auth, const char *name, const char *password,
                      uint8_t digest[DIGEST])
{
    gnutls_hmac_hd_t hmac;
    if (gnutls_hmac_init(&hmac, GNUTLS_MAC_SHA256, auth->key, sizeof auth->key) < 0)
        return false;
    bool good =
        gnutls_hmac(hmac, name, strlen(name) + 1) >= 0 && gnutls_hmac(hmac, password, strlen(password)) >= 0;
    gnutls_hmac_deinit(hmac, digest);
    return good;
}

static bool hash_matches(struct xm_auth *auth, const char *hash, const char *password)
{
    memset(&auth->crypt, 0, sizeof auth->crypt);
    const char *made = crypt_rn(password, hash, &auth->crypt, (int)sizeof auth->crypt);
    bool same = made && xm_auth_same(hash, strlen(hash), made, strlen(made));
    explicit_bzero(&auth->crypt, sizeof auth->crypt);
    return same;
}

/* A name and a password that somebody has sent, and what is known of them. */
struct login {
    const char *name, *password;
    uint8_t digest[DIGEST];
    bool digested;
    char hash[HASH_MAX_BYTES + 1]; /* of the user, or the dearest of all */
    bool there;                    /* there is such a user */
};

/* Whether it is remembered as right.  False: a hash is needed, and login has it. */
static bool recalls(struct xm_auth *auth, struct login *login)
{
    pthread_mutex_lock(&auth->lock);
    const struct user *user = find_user(auth->known, login->name);
    bool recalled = user && login->digested && user->remembered &&
                    xm_auth_same(user->digest, DIGEST, login->digest, DIGEST);
    const char *by = user ? user->hash : auth->known->user[auth->known->dearest].hash;
    snprintf(login->hash, sizeof login->hash, "%s", by);
    pthread_mutex_unlock(&auth->lock);
    login->there = user != NULL;
    return recalled;
}

/* False: since it was hashed the user has gone, or has another password. */
static bool remember(struct xm_auth *auth, const struct login *login)
{
    pthread_mutex_lock(&auth->lock);
    struct user *user = find_user(auth->known, login->name);
    bool good = user && strcmp(user->hash, login->hash) == 0;
    if (good && login->digested) {
        user->remembered = true;
        memcpy(user->digest, login->digest, DIGEST);
    }
    pthread_mutex_unlock(&auth->lock);
    return good;
}

/* By a hash, once it is this address' turn. */
static enum xm_auth_verdict check_hash(struct xm_auth *auth, const struct sockaddr *address,
                                       struct login *login)
{
    uint8_t key[XM_LIMITS_KEY];
    xm_limits_key(address, key);
    if (!xm_turns_take(auth->turns, key))
        return XM_AUTH_BUSY;
    /* While it waited another request may have shown that this one is right. */
    bool recalled = recalls(auth, login);
    bool good = recalled || (hash_matches(auth, login->hash, login->password) && login->there);
    xm_turns_give_back(auth->turns);
    return recalled || (good && remember(auth, login)) ? XM_AUTH_YES : XM_AUTH_NO;
}

static enum xm_auth_verdict check_user(struct xm_auth *auth, const struct sockaddr *address, const char *name,
                                       const char *password)
{
    struct login login = {.name = name, .password = password};
    login.digested = digest_of(auth, name, password, login.digest);
    enum xm_auth_verdict verdict = recalls(auth, &login) ? XM_AUTH_YES : check_hash(auth, address, &login);
    explicit_bzero(&login, sizeof login);
    return verdict;
}

/* "name:password" out of base64.  False: it is none. */
static bool split_basic(const char *base64, char *name, char *password)
{
    gnutls_datum_t in = {.data = (unsigned char *)(uintptr_t)base64, .size = (unsigned)strlen(base64)};
    gnutls_datum_t out = {0};
    if (in.size == 0 || in.size > 2 * (NAME_MAX_BYTES + PASSWORD_MAX) || gnutls_base64_decode2(&in, &out) < 0)
        return false;
    const unsigned char *colon = out.size ? memchr(out.data, ':', out.size) : NULL;
    bool good = colon && memchr(out.data, '\0', out.size) == NULL;
    if (good) {
        size_t name_bytes = (size_t)(colon - out.data);
        size_t password_bytes = out.size - name_bytes - 1;
        good = name_bytes <= NAME_MAX_BYTES && password_bytes <= PASSWORD_MAX;
        if (good) {
            memcpy(name, out.data, name_bytes);
            name[name_bytes] = '\0';
            memcpy(password, colon + 1, password_bytes);
            password[password_bytes] = '\0';
        }
    }
    if (out.data) {
        explicit_bzero(out.data, out.size);
        gnutls_free(out.data);
    }
    return good;
}

/* What follows a scheme and blanks; NULL: it is another scheme. */
static const char *after_scheme(const char *text, const char *scheme)
{
    size_t bytes = strlen(scheme);
    if (strncasecmp(text, scheme, bytes) != 0 || text[bytes] != ' ')
        return NULL;
    return text + bytes + strspn(text + bytes, " ");
}

bool xm_auth_has_token(struct xm_auth *auth, const char *authorization)
{
    const char *token = authorization ? after_scheme(authorization, "Bearer") : NULL;
    if (!token)
        return false;
    pthread_mutex_lock(&auth->lock);
    bool good = check_token(auth->known, token);
    pthread_mutex_unlock(&auth->lock);
    return good;
}

enum xm_auth_verdict xm_auth_check(struct xm_auth *auth, const struct sockaddr *address,
                                   const char *authorization, char *user, size_t size)
{
    char name[NAME_MAX_BYTES + 1];
    char password[PASSWORD_MAX + 1];
    const char *basic = authorization ? after_scheme(authorization, "Basic") : NULL;
    enum xm_auth_verdict verdict = XM_AUTH_NO;
    snprintf(user, size, "%s", "");
    if (xm_auth_has_token(auth, authorization)) {
        verdict = XM_AUTH_YES;
        snprintf(user, size, "token");
    } else if (basic && auth->user_path && split_basic(basic, name, password)) {
        verdict = check_user(auth, address, name, password);
        explicit_bzero(password, sizeof password);
        if (verdict == XM_AUTH_YES)
            snprintf(user, size, "%s", name);
    }
    return verdict;
}

const char *xm_auth_challenge(const struct xm_auth *auth)
{
    return auth->user_path ? "Basic realm=\"xenmon\", charset=\"UTF-8\"" : "Bearer realm=\"xenmon\"";
}
