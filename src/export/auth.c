/* SPDX-License-Identifier: MIT */
#include "export/auth.h"

#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_MAX_BYTES 64u
#define HASH_MAX_BYTES 384u
#define PASSWORD_MAX   512u
#define DIGEST         32u /* SHA-256 */
#define KEY            32u

/* What a user is asked for who does not exist: names must not be found out by the time it takes. */
#define NOBODY "$6$nobodyhasthis00$"

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
    struct token token[XM_AUTH_MOST];
    struct user user[XM_AUTH_MOST];
};

struct xm_auth {
    char *token_path, *user_path;
    pthread_mutex_t lock; /* of known; never held while a password is hashed */
    struct known *known;
    unsigned generation;
    pthread_mutex_t hashing;
    struct crypt_data crypt; /* 32 kB: not on a stack; whose holds hashing */
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

bool xm_auth_hash_good(const char *hash)
{
    static const char *const methods[] = {"$y$", "$gy$", "$7$", "$2b$", "$2y$", "$2a$", "$6$", "$5$"};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (strncmp(hash, methods[i], strlen(methods[i])) == 0) {
            int checked = crypt_checksalt(hash);
            return checked == CRYPT_SALT_OK || checked == CRYPT_SALT_TOO_CHEAP;
        }
    return false;
}

/* ---- Files. */

/* The file's lines, NUL-terminated in *text; to be freed. */
static enum xm_status read_file(const char *path, char **text, struct xm_error *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "%s: %s", path, strerror(errno));
    enum xm_status status = XM_OK;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        status = xm_fail(err, XM_IO, XM_NO_OFFSET, "%s: it is no file", path);
    else if (st.st_mode & (S_IROTH | S_IWOTH | S_IWGRP))
        status = xm_fail(err, XM_DENIED, XM_NO_OFFSET,
                         "%s: others may read or change it (mode %03o); chmod 600 or 640", path,
                         (unsigned)st.st_mode & 0777);
    else if (st.st_size > (off_t)XM_AUTH_FILE_MAX)
        status = xm_fail(err, XM_LIMIT, XM_NO_OFFSET, "%s: it is larger than 64 KiB", path);
    if (status == XM_OK) {
        *text = calloc(1, XM_AUTH_FILE_MAX + 1);
        ssize_t n = *text ? read(fd, *text, XM_AUTH_FILE_MAX) : 0;
        if (!*text)
            status = xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
        else if (n < 0 || memchr(*text, '\0', (size_t)n) != NULL)
            status = xm_fail(err, XM_DAMAGED, XM_NO_OFFSET, "%s: it cannot be read, or is no text", path);
        if (status != XM_OK) {
            free(*text);
            *text = NULL;
        }
    }
    close(fd);
    return status;
}

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
    if (!xm_auth_hash_good(hash))
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
    unsigned number = 0;
    enum xm_status status = read_file(path, &text, err);
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
    if (text)
        explicit_bzero(text, XM_AUTH_FILE_MAX);
    free(text);
    return status;
}

static void forget(struct known *known)
{
    if (known)
        explicit_bzero(known, sizeof *known);
    free(known);
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
    pthread_mutex_init(&a->hashing, NULL);
    a->token_path = tokens ? strdup(tokens) : NULL;
    a->user_path = users ? strdup(users) : NULL;
    enum xm_status status = XM_OK;
    if ((tokens && !a->token_path) || (users && !a->user_path))
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
    pthread_mutex_destroy(&auth->hashing);
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
    if (status != XM_OK)
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

/* What is remembered of that user.  False: a hash is needed, by `hash`, and whether there is such a user. */
static bool recalls(struct xm_auth *auth, const char *name, const uint8_t *digest,
                    char hash[HASH_MAX_BYTES + 1], bool *there)
{
    pthread_mutex_lock(&auth->lock);
    const struct user *user = find_user(auth->known, name);
    bool recalled = user && digest && user->remembered && xm_auth_same(user->digest, DIGEST, digest, DIGEST);
    const char *by = user ? user->hash : auth->known->users ? auth->known->user[0].hash : NOBODY;
    snprintf(hash, HASH_MAX_BYTES + 1, "%s", by);
    pthread_mutex_unlock(&auth->lock);
    *there = user != NULL;
    return recalled;
}

/* False: since it was hashed the user has gone, or has another password. */
static bool remember(struct xm_auth *auth, const char *name, const uint8_t *digest, const char *hash)
{
    pthread_mutex_lock(&auth->lock);
    struct user *user = find_user(auth->known, name);
    bool good = user && strcmp(user->hash, hash) == 0;
    if (good && digest) {
        user->remembered = true;
        memcpy(user->digest, digest, DIGEST);
    }
    pthread_mutex_unlock(&auth->lock);
    return good;
}

static enum xm_auth_verdict check_user(struct xm_auth *auth, const char *name, const char *password)
{
    uint8_t digest[DIGEST];
    char hash[HASH_MAX_BYTES + 1];
    bool there;
    const uint8_t *digested = digest_of(auth, name, password, digest) ? digest : NULL;
    if (recalls(auth, name, digested, hash, &there))
        return XM_AUTH_YES;
    if (pthread_mutex_trylock(&auth->hashing) != 0)
        return XM_AUTH_BUSY;
    bool good = hash_matches(auth, hash, password) && there;
    pthread_mutex_unlock(&auth->hashing);
    good = good && remember(auth, name, digested, hash);
    explicit_bzero(hash, sizeof hash);
    return good ? XM_AUTH_YES : XM_AUTH_NO;
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

enum xm_auth_verdict xm_auth_check(struct xm_auth *auth, const char *authorization, char *user, size_t size)
{
    char name[NAME_MAX_BYTES + 1];
    char password[PASSWORD_MAX + 1];
    const char *token = authorization ? after_scheme(authorization, "Bearer") : NULL;
    const char *basic = authorization ? after_scheme(authorization, "Basic") : NULL;
    enum xm_auth_verdict verdict = XM_AUTH_NO;
    snprintf(user, size, "%s", "");
    if (token) {
        pthread_mutex_lock(&auth->lock);
        verdict = check_token(auth->known, token) ? XM_AUTH_YES : XM_AUTH_NO;
        pthread_mutex_unlock(&auth->lock);
        if (verdict == XM_AUTH_YES)
            snprintf(user, size, "token");
    } else if (basic && auth->user_path && split_basic(basic, name, password)) {
        verdict = check_user(auth, name, password);
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
