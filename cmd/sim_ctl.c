/* SPDX-License-Identifier: MIT */
/* xenmon sim-ctl: asks a xenbaked that simulates a host to change it; source/sim_command.h has the lines. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "options.h"
#include "sim.h"
#include "source/sim_command.h"
#include "source/sim_control.h"
#include "xenmon/region.h"

#define PROGRAM "xenmon sim-ctl"
#define WAIT_MS 10000 /* xenbaked answers between two pieces of work, which are far shorter */

struct config {
    const char *region;
    bool help;
};

#define AT(member) offsetof(struct config, member)
static const struct xm_option options[] = {
    {"region", 0, XM_ARG_NEEDED, xm_set_text, AT(region), "PATH", "of the xenbaked that simulates; by default the system's, or the user's", 0, 0, 0},
    {"help", 'h', XM_ARG_NONE, xm_set_flag, AT(help), NULL, "print this and exit", 0, 0, 0},
};
#define OPTIONS (sizeof options / sizeof options[0])

static int print_help(void)
{
    printf("Usage: " PROGRAM " [options] COMMAND [operands]\n"
           "Changes the host that 'xenbaked --source=sim:SCENARIO' simulates, while it runs:\n"
           "  status                       what is on the host\n"
           "  rate DOM N                   requests a second that clients make of a web server\n"
           "  weight|cap|mcu_advance DOM N, period|slice DOM TIME, extratime DOM yes|no\n"
           "                               its share, as its scheduler knows it\n"
           "  pause DOM, unpause DOM\n"
           "  create NAME [role=web] [id=N] [vcpus=N] [rate=N] ...\n"
           "                               a domain, as in xenmon-scenario(5); by default a hog\n"
           "  destroy DOM\n"
           "DOM is a domain's number or name.\n\n");
    xm_options_print(options, OPTIONS, stdout);
    return fflush(stdout) == 0 ? XM_EXIT_DONE : XM_EXIT_FAILED;
}

/* The command's words as one line. */
static bool join(char *line, size_t size, int count, char **words)
{
    size_t length = 0;
    for (int i = 0; i < count; i++) {
        if (strpbrk(words[i], "\n\r"))
            return false;
        int n = snprintf(line + length, size - length, "%s%s", i ? " " : "", words[i]);
        if (n < 0 || (size_t)n >= size - length)
            return false;
        length += (size_t)n;
    }
    int n = snprintf(line + length, size - length, "\n");
    return n == 1 && length + 1 < size;
}

#define PATH_BYTES sizeof(((struct sockaddr_un *)0)->sun_path)

static int connect_to(const char path[PATH_BYTES], int *fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, PATH_BYTES);
    *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (*fd >= 0 && connect(*fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return XM_EXIT_DONE;
    if (errno == ENOENT || errno == ECONNREFUSED)
        xm_complain(PROGRAM, "no host is simulated there (%s): start one with 'xenbaked --source=sim:web'", path);
    else
        xm_complain(PROGRAM, "%s: %s", path, strerror(errno));
    return XM_EXIT_ACCESS;
}

/* Reads until a line that ends the answer; false: it never came. */
static bool read_answer(int fd, char *answer, size_t size)
{
    size_t length = 0;
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, WAIT_MS) <= 0)
            return false;
        ssize_t n = recv(fd, answer + length, size - 1 - length, 0);
        if (n <= 0)
            return false;
        length += (size_t)n;
        answer[length] = '\0';
        bool ok = length >= 3 && strcmp(answer + length - 3, "ok\n") == 0 && (length == 3 || answer[length - 4] == '\n');
        if (ok || (strncmp(answer, "error: ", 7) == 0 && answer[length - 1] == '\n'))
            return true;
    }
}

static int ask(const char path[PATH_BYTES], const char *line)
{
    static char answer[XM_SIM_ANSWER_BYTES + 1];
    static const char error[] = "error: ";
    int fd;
    int code = connect_to(path, &fd);
    if (code != XM_EXIT_DONE) {
        if (fd >= 0)
            close(fd);
        return code;
    }
    bool sent = send(fd, line, strlen(line), MSG_NOSIGNAL) == (ssize_t)strlen(line);
    bool answered = sent && read_answer(fd, answer, sizeof answer);
    close(fd);
    if (!answered) {
        xm_complain(PROGRAM, "%s: no answer", path);
        return XM_EXIT_FAILED;
    }
    if (strncmp(answer, error, sizeof error - 1) == 0) {
        answer[strcspn(answer, "\n")] = '\0';
        xm_complain(PROGRAM, "%s", answer + sizeof error - 1);
        return XM_EXIT_FAILED;
    }
    fwrite(answer, 1, strlen(answer) - 3, stdout); /* less "ok" */
    return fflush(stdout) == 0 ? XM_EXIT_DONE : XM_EXIT_FAILED;
}

int xenmon_sim_ctl_main(int argc, char **argv)
{
    struct config c = {0};
    struct xm_error err;
    char line[XM_SIM_COMMAND_BYTES], region[PATH_MAX], path[PATH_BYTES];
    int operands;
    xm_error_clear(&err);
    if (xm_options_read(options, OPTIONS, &c, argc, argv, &operands, &err) != XM_OK)
        return xm_usage_error(PROGRAM, "%s", err.text);
    if (c.help)
        return print_help();
    if (operands == 0)
        return xm_usage_error(PROGRAM, "what is to be done?");
    if (!join(line, sizeof line, operands, argv + 1))
        return xm_usage_error(PROGRAM, "the command is too long, or more than a line");
    if (!c.region && !xm_region_default_path(region, sizeof region))
        return xm_usage_error(PROGRAM, "which region? Name it with --region");
    if (!xm_sim_control_path(c.region ? c.region : region, path, sizeof path))
        return xm_usage_error(PROGRAM, "--region: the name is too long");
    return ask(path, line);
}
