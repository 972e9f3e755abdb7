/* SPDX-License-Identifier: MIT */
#include "connect_fetch.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>
#ifdef XM_HAVE_ZSTD
#include <zstd.h>
#endif

#include "view/format.h"

#define TYPE         "application/octet-stream"
#define FIRST_BYTES  65536u
#define KEPT_BYTES   (UINT32_C(4) << 20) /* an odd large answer does not hold its memory for good */
#define WINDOW_LOG   26                  /* of what zstd may keep of an answer: 64 MiB */
#define HEADERS_MOST 100u

struct buffer {
    unsigned char *data;
    size_t used, size;
};

struct xm_fetch {
    CURL *curl;
    struct curl_slist *headers;
    atomic_bool *stop;
    char base[1200]; /* of the URL */
    char name[300];
    char said[CURL_ERROR_SIZE];
    struct buffer body, unpacked;
    size_t most;
    bool too_much, packed;
    unsigned header_count;
#ifdef XM_HAVE_ZSTD
    ZSTD_DCtx *unpacker;
#endif
};

enum xm_status xm_fetch_begin(struct xm_error *err)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "libcurl cannot be used");
    return XM_OK;
}

void xm_fetch_end(void)
{
    curl_global_cleanup();
}

/* ---- Buffers. */

/* Room for `bytes` more, `most` in all. */
static bool reserve(struct buffer *b, size_t bytes, size_t most)
{
    if (bytes > most || b->used > most - bytes)
        return false;
    size_t size = b->size ? b->size : FIRST_BYTES;
    while (size < b->used + bytes)
        size *= 2;
    if (size != b->size) {
        unsigned char *data = realloc(b->data, size);
        if (!data)
            return false;
        b->data = data;
        b->size = size;
    }
    return true;
}

static void reuse(struct buffer *b)
{
    if (b->size > KEPT_BYTES && b->used < b->size / 4) {
        free(b->data);
        *b = (struct buffer){0};
    }
    b->used = 0;
}

/* ---- What libcurl calls. */

static size_t take_body(char *data, size_t size, size_t count, void *user)
{
    struct xm_fetch *f = user;
    size_t bytes = size * count;
    if (!reserve(&f->body, bytes, f->most)) {
        f->too_much = true;
        return 0;
    }
    memcpy(f->body.data + f->body.used, data, bytes);
    f->body.used += bytes;
    return bytes;
}

static size_t take_header(char *data, size_t size, size_t count, void *user)
{
    static const char encoding[] = "content-encoding:";
    struct xm_fetch *f = user;
    size_t bytes = size * count;
    if (++f->header_count > HEADERS_MOST) {
        f->too_much = true;
        return 0;
    }
    if (bytes >= sizeof encoding - 1 && strncasecmp(data, encoding, sizeof encoding - 1) == 0)
        f->packed = memmem(data, bytes, "zstd", 4) != NULL;
    return bytes;
}

static int look_at_stop(void *user, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up)
{
    struct xm_fetch *f = user;
    (void)total, (void)now, (void)up_total, (void)up;
    return atomic_load(f->stop);
}

/* ---- URLs. */

static const char *after(const char *text, const char *prefix)
{
    size_t length = strlen(prefix);
    return strncasecmp(text, prefix, length) == 0 ? text + length : NULL;
}

bool xm_fetch_is_url(const char *text)
{
    return after(text, "http://") || after(text, "https://") || after(text, "http+unix://");
}

/*
 * This machine: what goes there in clear nobody else reads.  Numbers, as a name like "127.example.org" is
 * whoever's it is; "localhost" libcurl never looks up.
 */
static bool is_local(const char *host)
{
    char number[INET6_ADDRSTRLEN];
    struct in_addr four;
    struct in6_addr six;
    size_t length = strlen(host);
    if (host[0] == '[' && host[length - 1] == ']' && length - 2 < sizeof number) {
        snprintf(number, sizeof number, "%.*s", (int)length - 2, host + 1);
        return inet_pton(AF_INET6, number, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
    }
    if (inet_pton(AF_INET, host, &four) == 1)
        return ntohl(four.s_addr) >> 24 == IN_LOOPBACKNET;
    return strcasecmp(host, "localhost") == 0;
}

static enum xm_status use_socket(struct xm_fetch *f, const char *text, struct xm_error *err)
{
    int length = 0;
    char *path = curl_easy_unescape(f->curl, text, 0, &length);
    if (!path)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    enum xm_status status = XM_OK;
    if (path[0] != '/' || (size_t)length != strlen(path) ||
        (size_t)length >= sizeof((struct sockaddr_un *)0)->sun_path)
        status = xm_fail(err, XM_INVALID, XM_NO_OFFSET,
                         "'http+unix://%.100s': what follows is the whole path of a socket", text);
    snprintf(f->base, sizeof f->base, "http://localhost");
    xm_format_name(path, strlen(path), f->name, sizeof f->name);
    curl_easy_setopt(f->curl, CURLOPT_UNIX_SOCKET_PATH, path); /* copied */
    curl_free(path);
    return status;
}

static const char *part(CURLU *parsed, CURLUPart what, char *text, size_t size)
{
    char *found = NULL;
    text[0] = '\0';
    if (curl_url_get(parsed, what, &found, 0) == CURLUE_OK)
        snprintf(text, size, "%s", found);
    curl_free(found);
    return text;
}

static enum xm_status use_host(struct xm_fetch *f, const char *url, bool credentials, struct xm_error *err)
{
    char scheme[8];
    char host[260];
    char port[8];
    char rest[4];
    CURLU *parsed = curl_url();
    enum xm_status status = XM_OK;
    CURLUcode code = parsed ? curl_url_set(parsed, CURLUPART_URL, url, 0) : CURLUE_OUT_OF_MEMORY;
    if (code != CURLUE_OK) {
        curl_url_cleanup(parsed);
        return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "'%.100s': %s", url, curl_url_strerror(code));
    }
    part(parsed, CURLUPART_SCHEME, scheme, sizeof scheme);
    part(parsed, CURLUPART_HOST, host, sizeof host);
    part(parsed, CURLUPART_PORT, port, sizeof port);
    bool named = part(parsed, CURLUPART_USER, rest, sizeof rest)[0] ||
                 part(parsed, CURLUPART_PASSWORD, rest, sizeof rest)[0];
    bool more = strcmp(part(parsed, CURLUPART_PATH, rest, sizeof rest), "/") != 0 ||
                part(parsed, CURLUPART_QUERY, rest, sizeof rest)[0] ||
                part(parsed, CURLUPART_FRAGMENT, rest, sizeof rest)[0];
    curl_url_cleanup(parsed);
    if (named) /* not quoted: it may be a password */
        status = xm_fail(err, XM_INVALID, XM_NO_OFFSET,
                         "a URL with a user in it: others see command lines, so give --user-file or --netrc");
    else if (more || !host[0])
        status =
            xm_fail(err, XM_INVALID, XM_NO_OFFSET, "'%.100s' has more than a scheme, a host and a port", url);
    else if (credentials && strcmp(scheme, "http") == 0 && !is_local(host))
        status = xm_fail(err, XM_INVALID, XM_NO_OFFSET,
                         "'%.100s': a token or password would go there in clear: use https", url);
    snprintf(f->base, sizeof f->base, "%s://%s%s%s", scheme, host, port[0] ? ":" : "", port);
    snprintf(f->name, sizeof f->name, "%s%s%s", host, port[0] ? ":" : "", port);
    return status;
}

/* ---- Making one. */

static bool add_header(struct xm_fetch *f, const char *header)
{
    struct curl_slist *longer = curl_slist_append(f->headers, header);
    if (longer)
        f->headers = longer;
    return longer != NULL;
}

static bool set_headers(struct xm_fetch *f, const struct xm_fetch_credentials *c)
{
    bool good = add_header(f, "Accept: " TYPE);
#ifdef XM_HAVE_ZSTD
    good = good && add_header(f, "Accept-Encoding: zstd");
#endif
    if (c->token) {
        size_t size = strlen(c->token) + sizeof "Authorization: Bearer ";
        char *header = malloc(size);
        if (header)
            snprintf(header, size, "Authorization: Bearer %s", c->token);
        good = good && header && add_header(f, header);
        free(header);
    }
    curl_easy_setopt(f->curl, CURLOPT_HTTPHEADER, f->headers);
    return good;
}

static void set_options(struct xm_fetch *f, const struct xm_fetch_credentials *c)
{
    CURL *curl = f->curl;
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, f->said);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, XM_FETCH_CONNECT_MS);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, XM_FETCH_TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, f);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, f);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, look_at_stop);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, f);
    if (strncmp(f->base, "https", 5) != 0)
        curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* it would read all of it */
    if (c->ca_file) {
        curl_easy_setopt(curl, CURLOPT_CAINFO, c->ca_file);
        curl_easy_setopt(curl, CURLOPT_CAPATH, NULL); /* else the system's directory is believed as well */
    }
    if (c->user) {
        curl_easy_setopt(curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        curl_easy_setopt(curl, CURLOPT_USERNAME, c->user);
        curl_easy_setopt(curl, CURLOPT_PASSWORD, c->password);
    }
    if (c->netrc) {
        curl_easy_setopt(curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        curl_easy_setopt(curl, CURLOPT_NETRC, (long)CURL_NETRC_REQUIRED);
        if (c->netrc[0])
            curl_easy_setopt(curl, CURLOPT_NETRC_FILE, c->netrc);
    }
}

enum xm_status xm_fetch_create(const char *url, const struct xm_fetch_credentials *credentials,
                               atomic_bool *stop, struct xm_fetch **fetch, struct xm_error *err)
{
    *fetch = NULL;
    struct xm_fetch *f = calloc(1, sizeof *f);
    if (f)
        f->curl = curl_easy_init();
    if (!f || !f->curl) {
        free(f);
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    }
    f->stop = stop;
    const char *path = after(url, "http+unix://");
    bool secret = credentials->token || credentials->user || credentials->netrc;
    enum xm_status status = path ? use_socket(f, path, err) : use_host(f, url, secret, err);
    if (status == XM_OK) {
        set_options(f, credentials);
        if (!set_headers(f, credentials))
            status = xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    }
    if (status == XM_OK)
        *fetch = f;
    else
        xm_fetch_destroy(f);
    return status;
}

void xm_fetch_destroy(struct xm_fetch *fetch)
{
    if (!fetch)
        return;
    curl_easy_cleanup(fetch->curl);
    curl_slist_free_all(fetch->headers);
    free(fetch->body.data);
    free(fetch->unpacked.data);
#ifdef XM_HAVE_ZSTD
    ZSTD_freeDCtx(fetch->unpacker);
#endif
    free(fetch);
}

const char *xm_fetch_name(const struct xm_fetch *fetch)
{
    return fetch->name;
}

/* ---- Answers. */

static enum xm_status too_much(struct xm_error *err)
{
    return xm_fail(err, XM_DAMAGED, XM_NO_OFFSET, "its answer is longer than any can be");
}

#ifdef XM_HAVE_ZSTD
static enum xm_status unpack(struct xm_fetch *f, struct xm_error *err)
{
    ZSTD_inBuffer in = {f->body.data, f->body.used, 0};
    if (!f->unpacker)
        f->unpacker = ZSTD_createDCtx();
    if (!f->unpacker)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    ZSTD_DCtx_reset(f->unpacker, ZSTD_reset_session_only);
    ZSTD_DCtx_setParameter(f->unpacker, ZSTD_d_windowLogMax, WINDOW_LOG);
    for (;;) {
        struct buffer *b = &f->unpacked;
        if (b->used == b->size && !reserve(b, FIRST_BYTES, f->most))
            return too_much(err);
        ZSTD_outBuffer out = {b->data, b->size, b->used};
        size_t left = ZSTD_decompressStream(f->unpacker, &out, &in);
        bool moved = out.pos != b->used;
        b->used = out.pos;
        if (ZSTD_isError(left))
            return xm_fail(err, XM_DAMAGED, XM_NO_OFFSET, "its answer cannot be unpacked: %s",
                           ZSTD_getErrorName(left));
        if (left == 0 && in.pos == in.size)
            return XM_OK;
        if (in.pos == in.size && !moved)
            return xm_fail(err, XM_DAMAGED, XM_NO_OFFSET, "its packed answer ends too early");
    }
}
#endif

/* What an error's body says, for people: {"error":{"message":"..."}}, or nothing. */
static const char *message(const struct xm_fetch *f, char *text, size_t size)
{
    static const char key[] = "\"message\":\"";
    const unsigned char *at = f->body.used ? memmem(f->body.data, f->body.used, key, sizeof key - 1) : NULL;
    text[0] = '\0';
    if (at) {
        at += sizeof key - 1;
        size_t length = 0;
        size_t left = f->body.used - (size_t)(at - f->body.data);
        while (length < left && length < 120 && at[length] != '"' && at[length] != '\\')
            length++;
        text[0] = ':';
        text[1] = ' ';
        xm_format_name((const char *)at, length, text + 2, size - 2);
    }
    return text;
}

static enum xm_status judge_status(struct xm_fetch *f, long code, struct xm_error *err)
{
    char said[160];
    message(f, said, sizeof said);
    if (code == 401 || code == 403)
        return xm_fail(err, XM_DENIED, XM_NO_OFFSET,
                       "not permitted (%ld)%s; --token-file, --user-file and --netrc give credentials", code,
                       said);
    if (code == 503 || code == 429)
        return xm_fail(err, XM_AGAIN, XM_NO_OFFSET, "not now (%ld)%s", code, said);
    if (code == 404)
        return xm_fail(err, XM_UNSUPPORTED, XM_NO_OFFSET,
                       "it offers no region: no xenmon serve, or an older one");
    if (code >= 300 && code < 400)
        return xm_fail(err, XM_DAMAGED, XM_NO_OFFSET, "it leads elsewhere (%ld), and is not followed", code);
    return xm_fail(err, XM_DAMAGED, XM_NO_OFFSET, "it answers with status %ld%s", code, said);
}

static enum xm_status judge_failure(const struct xm_fetch *f, CURLcode code, struct xm_error *err)
{
    const char *said = f->said[0] ? f->said : curl_easy_strerror(code);
    char text[200];
    xm_format_name(said, strlen(said), text, sizeof text);
    if (f->too_much)
        return too_much(err);
    switch (code) {
    case CURLE_COULDNT_CONNECT:
        return xm_fail(err, XM_AGAIN, XM_NO_OFFSET, "nobody answers: %s", text);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_LOGIN_DENIED:
        return xm_fail(err, XM_DENIED, XM_NO_OFFSET, "not trusted: %s; --ca-file names who is to be", text);
    case CURLE_OPERATION_TIMEDOUT:
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "too slow: %s", text);
    case CURLE_OUT_OF_MEMORY:
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
        return xm_fail(err, XM_DAMAGED, XM_NO_OFFSET, "no HTTP that can be understood: %s", text);
    case CURLE_GOT_NOTHING: /* what a server of TLS says to plain HTTP */
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "%s%s", text,
                       strncmp(f->base, "https", 5) != 0 ? ": is it one of https://?" : "");
    case CURLE_SSL_CONNECT_ERROR: /* and the other way round */
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "no TLS with it: %s: is it one of http://?", text);
    default:
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "%s", text);
    }
}

enum xm_status xm_fetch_get(struct xm_fetch *fetch, const char *path, size_t most, const void **data,
                            size_t *bytes, struct xm_error *err)
{
    char url[1400];
    long code = 0;
    const char *type = NULL;
    reuse(&fetch->body);
    reuse(&fetch->unpacked);
    fetch->most = most;
    fetch->too_much = fetch->packed = false;
    fetch->header_count = 0;
    fetch->said[0] = '\0';
    snprintf(url, sizeof url, "%s%s", fetch->base, path);
    curl_easy_setopt(fetch->curl, CURLOPT_URL, url);
    CURLcode result = curl_easy_perform(fetch->curl);
    if (result != CURLE_OK)
        return judge_failure(fetch, result, err);
    curl_easy_getinfo(fetch->curl, CURLINFO_RESPONSE_CODE, &code);
    curl_easy_getinfo(fetch->curl, CURLINFO_CONTENT_TYPE, &type);
    if (code != 200)
        return judge_status(fetch, code, err);
    if (!type || strncasecmp(type, TYPE, sizeof TYPE - 1) != 0)
        return xm_fail(err, XM_DAMAGED, XM_NO_OFFSET, "it answers with something else than a region");
    const struct buffer *answer = &fetch->body;
    if (fetch->packed) {
#ifdef XM_HAVE_ZSTD
        enum xm_status status = unpack(fetch, err);
        if (status != XM_OK)
            return status;
        answer = &fetch->unpacked;
#else
        return xm_fail(err, XM_DAMAGED, XM_NO_OFFSET, "its answer is packed, which nobody asked for");
#endif
    }
    *data = answer->data;
    *bytes = answer->used;
    return XM_OK;
}
