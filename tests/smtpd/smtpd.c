/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * smtpd: the scripted mail host, which stands for all mail hosts of the lab's internet. This file
 * reads the command line and handles signals; README says what a scenario may contain.
 */
#include "config.h"

#include "control.h"
#include "server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>

#define DEFAULT_PORT 25

struct options {
    const char *scenario;
    const char *ready_file;
    const char *control_path;
    unsigned port;
    bool check_only;
};

struct signals {
    struct watch watch;
    struct loop *loop;
};

static void usage(FILE *to)
{
    (void)fputs("usage: smtpd -s SCENARIO [-p PORT] [-r READY_FILE] [-C [unix:]PATH] [-t]\n"
                "  -s FILE  what each host does; see tests/smtpd/README\n"
                "  -p PORT  where hosts listen that name no port (25)\n"
                "  -r FILE  written when all are listening\n"
                "  -C PATH  control socket\n"
                "  -t       check the scenario and exit\n",
                to);
}

static bool parse_port(const char *text, unsigned *port)
{
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (errno != 0 || *text < '0' || *text > '9' || *end != '\0' || value == 0 || value > 65535)
        return false;
    *port = (unsigned)value;
    return true;
}

static bool parse_options(int argc, char **argv, struct options *options)
{
    *options = (struct options){.port = DEFAULT_PORT};
    int option;
    while ((option = getopt(argc, argv, "s:p:r:C:t")) != -1) {
        switch (option) {
        case 's':
            options->scenario = optarg;
            break;
        case 'p':
            if (!parse_port(optarg, &options->port))
                return false;
            break;
        case 'r':
            options->ready_file = optarg;
            break;
        case 'C':
            options->control_path = strncmp(optarg, "unix:", 5) == 0 ? optarg + 5 : optarg;
            break;
        case 't':
            options->check_only = true;
            break;
        default:
            return false;
        }
    }
    return options->scenario != NULL && optind == argc;
}

static void stop(struct watch *w, uint32_t events)
{
    (void)events;
    loop_stop(((struct signals *)w)->loop);
}

/* Lives as long as the program. */
static void release_nothing(struct watch *w)
{
    (void)w;
}

static bool watch_signals(struct signals *signals, struct loop *loop)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    (void)signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without MSG_NOSIGNAL */
    signals->loop = loop;
    signals->watch = (struct watch){.fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC),
                                    .ready = stop,
                                    .release = release_nothing};
    return signals->watch.fd >= 0 && loop_add(loop, &signals->watch, EPOLLIN);
}

/* As many descriptors as we may have: a thousand held sessions are usual. */
static void raise_limits(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static bool write_ready_file(const char *path)
{
    FILE *file = fopen(path, "we");
    if (file == NULL)
        return false;
    bool ok = fputs("ready\n", file) >= 0;
    return fclose(file) == 0 && ok;
}

static bool tell_ready(const struct options *options)
{
    if (options->ready_file != NULL && !write_ready_file(options->ready_file)) {
        (void)fprintf(stderr, "smtpd: %s: %s\n", options->ready_file, strerror(errno));
        return false;
    }
    return puts("ready") >= 0 && fflush(stdout) == 0;
}

static int check(const struct options *options)
{
    char error[SCENARIO_ERROR_SIZE];
    struct scenario *scn = scenario_read(options->scenario, options->port, error, sizeof error);
    if (scn == NULL) {
        (void)fprintf(stderr, "smtpd: %s\n", error);
        return EX_CONFIG;
    }
    scenario_put(scn);
    return EX_OK;
}

static int serve(const struct options *options)
{
    char error[SCENARIO_ERROR_SIZE];
    struct server srv;
    struct signals signals = {.watch.fd = -1};
    struct control *ctl = NULL;
    int status = EX_OSERR;
    if (!server_init(&srv, options->scenario, options->port, error, sizeof error)) {
        (void)fprintf(stderr, "smtpd: %s\n", error);
        status = EX_CONFIG;
        goto out;
    }
    if (options->control_path != NULL) {
        ctl = control_open(&srv, options->control_path);
        if (ctl == NULL) {
            (void)fprintf(stderr, "smtpd: %s: %s\n", options->control_path, strerror(errno));
            goto out;
        }
    }
    if (!watch_signals(&signals, srv.net.loop)) {
        (void)fprintf(stderr, "smtpd: signals: %s\n", strerror(errno));
        goto out;
    }
    if (!tell_ready(options))
        goto out;
    loop_run(srv.net.loop);
    status = EX_OK;
out:
    control_close(ctl);
    if (signals.watch.fd >= 0)
        (void)close(signals.watch.fd);
    server_fini(&srv);
    return status;
}

int main(int argc, char **argv)
{
    struct options options;
    if (!parse_options(argc, argv, &options)) {
        usage(stderr);
        return EX_USAGE;
    }
    raise_limits();
    return options.check_only ? check(&options) : serve(&options);
}
