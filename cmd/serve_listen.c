/* SPDX-License-Identifier: MIT */
#include "serve_listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "options.h"

#define FIRST_FD 3 /* sd_listen_fds(3) */
#define BACKLOG  128

/* ---- What may be. */

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return (ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr) >> 24) == 127;
    if (address->sa_family != AF_INET6)
        return false;
    const struct in6_addr *a = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(a) || (IN6_IS_ADDR_V4MAPPED(a) && a->s6_addr[12] == 127);
}

static unsigned port_of(const struct sockaddr *address)
{
    return ntohs(address->sa_family == AF_INET6
                     ? ((const struct sockaddr_in6 *)(const void *)address)->sin6_port
                     : ((const struct sockaddr_in *)(const void *)address)->sin_port);
}

/* The rule: what others can reach is encrypted, and asks who they are. */
static enum xm_status admit(const struct xm_serve_config *c, const struct sockaddr *address, const char *name,
                            struct xm_error *err)
{
    if (address->sa_family == AF_UNIX || is_loopback(address) || (c->tls_cert && (c->token_file || c->users)))
        return XM_OK;
    return xm_fail(err, XM_INVALID, XM_NO_OFFSET,
                   "others can reach %s: that needs --tls-cert and --tls-key, and --token-file or --users",
                   name);
}

static void take(const struct xm_serve_config *c, struct xm_serve_sockets *s, int fd, int family,
                 const char *name)
{
    s->listener[s->count] = (struct xm_http_listener){
        .fd = fd, .tls = family != AF_UNIX && c->tls_cert, .trusted = family == AF_UNIX};
    snprintf(s->name[s->count], sizeof s->name[0], "%s", name);
    s->count++;
}

/* What a socket is bound to, as numbers, "[::1]:8436"; one of no address has no text. */
static void real_address(int fd, char *text, size_t size)
{
    struct sockaddr_storage address = {0};
    socklen_t bytes = sizeof address;
    char host[INET6_ADDRSTRLEN + IF_NAMESIZE + 1]; /* with the zone of a link's own address */
    char port[8];
    *text = '\0';
    if (getsockname(fd, (struct sockaddr *)&address, &bytes) != 0)
        return;
    const char *path = ((const struct sockaddr_un *)(const void *)&address)->sun_path;
    if (address.ss_family == AF_UNIX && bytes > offsetof(struct sockaddr_un, sun_path) && *path)
        snprintf(text, size, "unix:%s", path); /* the storage behind it is all NULs */
    else if (address.ss_family != AF_UNIX &&
             getnameinfo((const struct sockaddr *)&address, bytes, host, sizeof host, port, sizeof port,
                         NI_NUMERICHOST | NI_NUMERICSERV) == 0)
        snprintf(text, size, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

/* ---- Unix sockets. */

/*
 * A socket that a server before us left there, and nobody listens at.  Where many wait to be let in (EAGAIN)
 * somebody is there, and this does not wait with them.
 */
static bool is_left_over(const struct sockaddr_un *address)
{
    struct stat st;
    if (lstat(address->sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
        return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool dead = fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof *address) != 0 &&
                errno == ECONNREFUSED;
    if (fd >= 0)
        close(fd);
    return dead;
}

static enum xm_status open_unix(const struct xm_serve_config *c, struct xm_serve_sockets *s, const char *path,
                                struct xm_error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path || !*path)
        return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "unix:%s: the path of a socket has 1 to %zu bytes",
                       path, sizeof address.sun_path - 1);
    memcpy(address.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "a Unix socket: %s", strerror(errno));
    mode_t before = umask(0117); /* 0660 */
    int bound = bind(fd, (const struct sockaddr *)&address, sizeof address);
    int why = errno;
    if (bound != 0 && why == EADDRINUSE && is_left_over(&address) && unlink(path) == 0) {
        bound = bind(fd, (const struct sockaddr *)&address, sizeof address);
        why = errno;
    }
    umask(before);
    if (bound == 0) {
        bound = listen(fd, BACKLOG);
        why = errno;
    }
    if (bound != 0) {
        close(fd);
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "unix:%s: %s", path, strerror(why));
    }
    snprintf(s->made[s->count], sizeof s->made[0], "%s", path);
    char name[PATH_MAX];
    snprintf(name, sizeof name, "unix:%s", path);
    take(c, s, fd, AF_UNIX, name);
    return XM_OK;
}

/* ---- TCP. */

/* Where any port was asked for, people are told which one it became, of which address. */
static void take_bound(const struct xm_serve_config *c, struct xm_serve_sockets *s, int fd,
                       const struct addrinfo *a, const char *name)
{
    char real[PATH_MAX];
    real_address(fd, real, sizeof real);
    take(c, s, fd, a->ai_family, port_of(a->ai_addr) == 0 && *real ? real : name);
}

static enum xm_status open_address(const struct xm_serve_config *c, struct xm_serve_sockets *s,
                                   const struct addrinfo *a, const char *name, struct xm_error *err)
{
    int one = 1;
    enum xm_status status = admit(c, a->ai_addr, name, err);
    if (status != XM_OK)
        return status;
    if (s->count == XM_HTTP_LISTENERS)
        return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "%s: more than %u addresses", name, XM_HTTP_LISTENERS);
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "%s: %s", name, strerror(errno));
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (a->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    if (bind(fd, a->ai_addr, a->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        int why = errno;
        close(fd);
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "%s: %s", name, strerror(why));
    }
    take_bound(c, s, fd, a, name);
    return XM_OK;
}

/* HOST:PORT into its two parts; an IPv6 address stands in brackets. */
static bool split(const char *text, char *host, size_t size, const char **port)
{
    const char *colon = strrchr(text, ':');
    if (!colon || colon == text || !colon[1])
        return false;
    const char *from = text;
    size_t bytes = (size_t)(colon - text);
    if (*from == '[') {
        if (bytes < 3 || from[bytes - 1] != ']')
            return false;
        from++;
        bytes -= 2;
    } else if (memchr(from, ':', bytes)) {
        return false;
    }
    if (bytes >= size || strspn(colon + 1, "0123456789") != strlen(colon + 1) || strlen(colon + 1) > 5)
        return false;
    memcpy(host, from, bytes);
    host[bytes] = '\0';
    *port = colon + 1;
    return strtoul(*port, NULL, 10) <= 65535;
}

static enum xm_status open_tcp(const struct xm_serve_config *c, struct xm_serve_sockets *s, const char *text,
                               struct xm_error *err)
{
    char host[256];
    const char *port;
    struct addrinfo *found = NULL;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    if (!split(text, host, sizeof host, &port))
        return xm_fail(err, XM_INVALID, XM_NO_OFFSET,
                       "'%s' is none of ADDRESS:PORT, [ADDRESS]:PORT and unix:PATH", text);
    int failed = getaddrinfo(strcmp(host, "*") == 0 ? NULL : host, port, &hints, &found);
    if (failed)
        return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "%s: %s", text, gai_strerror(failed));
    enum xm_status status = XM_OK;
    for (const struct addrinfo *a = found; a && status == XM_OK; a = a->ai_next)
        status = open_address(c, s, a, text, err);
    freeaddrinfo(found);
    return status;
}

/* ---- All of it. */

static void close_all(struct xm_serve_sockets *s)
{
    for (unsigned i = 0; i < s->count; i++)
        close(s->listener[i].fd);
    xm_serve_unlink(s);
    s->count = 0;
}

static enum xm_status take_activated(const struct xm_serve_config *c, struct xm_serve_sockets *s, int fd,
                                     struct xm_error *err)
{
    struct sockaddr_storage address = {0};
    socklen_t bytes = sizeof address;
    char name[64];
    char real[PATH_MAX];
    int type = 0;
    socklen_t type_bytes = sizeof type;
    snprintf(name, sizeof name, "socket %d of systemd", fd);
    if (getsockname(fd, (struct sockaddr *)&address, &bytes) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_bytes) != 0 || type != SOCK_STREAM)
        return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "%s is no stream socket", name);
    enum xm_status status = admit(c, (const struct sockaddr *)&address, name, err);
    if (status != XM_OK)
        return status;
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    real_address(fd, real, sizeof real);
    take(c, s, fd, address.ss_family, *real ? real : name);
    return XM_OK;
}

/* How many sockets systemd hands over to this very process. */
static unsigned activated(void)
{
    const char *pid = getenv("LISTEN_PID");
    const char *fds = getenv("LISTEN_FDS");
    uint64_t value;
    if (!pid || !fds || !xm_read_count(pid, &value) || value != (uint64_t)getpid() ||
        !xm_read_count(fds, &value))
        return 0;
    return value > XM_HTTP_LISTENERS ? XM_HTTP_LISTENERS : (unsigned)value;
}

static bool default_socket(char *path, size_t size)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    const char *service = getenv("RUNTIME_DIRECTORY"); /* systemd.exec(5) */
    int n;
    if (service && service[0] == '/')
        n = snprintf(path, size, "%s/http.sock", service);
    else if (geteuid() == 0)
        n = snprintf(path, size, XM_SERVE_SOCKET);
    else if (runtime && runtime[0] == '/')
        n = snprintf(path, size, "%s/xenmon-serve.sock", runtime);
    else
        return false;
    return n > 0 && (size_t)n < size;
}

static enum xm_status open_defaults(const struct xm_serve_config *c, struct xm_serve_sockets *s,
                                    struct xm_error *err)
{
    static const char *const addresses[] = {"127.0.0.1:" XM_SERVE_PORT, "[::1]:" XM_SERVE_PORT};
    struct xm_error why;
    char path[PATH_MAX];
    for (unsigned i = 0; i < 2; i++) {
        xm_error_clear(&why);
        if (open_tcp(c, s, addresses[i], &why) != XM_OK && i == 0)
            xm_complain(XM_SERVE_PROGRAM, "%s", why.text);
    }
    if (default_socket(path, sizeof path)) {
        if (geteuid() == 0)
            mkdir(XM_SERVE_FOLDER, 0755);
        xm_error_clear(&why);
        if (open_unix(c, s, path, &why) != XM_OK)
            xm_complain(XM_SERVE_PROGRAM, "no Unix socket: %s", why.text);
    }
    if (s->count == 0)
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "there is nowhere to listen");
    return XM_OK;
}

enum xm_status xm_serve_listen(const struct xm_serve_config *c, struct xm_serve_sockets *s,
                               struct xm_error *err)
{
    unsigned handed = activated();
    enum xm_status status = XM_OK;
    *s = (struct xm_serve_sockets){.activated = handed != 0};
    for (unsigned i = 0; i < handed && status == XM_OK; i++)
        status = take_activated(c, s, FIRST_FD + (int)i, err);
    for (unsigned i = 0; i < c->listens && !handed && status == XM_OK; i++)
        status = strncmp(c->listen[i], "unix:", 5) == 0 ? open_unix(c, s, c->listen[i] + 5, err)
                                                        : open_tcp(c, s, c->listen[i], err);
    if (status == XM_OK && !handed && c->listens == 0)
        status = open_defaults(c, s, err);
    if (status != XM_OK)
        close_all(s);
    return status;
}

void xm_serve_unlink(const struct xm_serve_sockets *s)
{
    for (unsigned i = 0; i < XM_HTTP_LISTENERS; i++)
        if (s->made[i][0])
            unlink(s->made[i]);
}
