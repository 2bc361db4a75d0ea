/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * main: ringback-milter, the daemon: options, start in an order that leaves nothing half-started,
 * libmilter's main loop, orderly end. Exit status as in sysexits.h: 64 usage, 69 a socket is taken,
 * 73 a folder or file cannot be made, 78 configuration.
 */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <libmilter/mfapi.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "base/signals.h"
#include "base/sleep.h"
#include "config/configuration.h"
#include "daemon/control.h"
#include "daemon/daemon.h"
#include "daemon/heartbeat.h"
#include "daemon/history.h"
#include "daemon/metrics.h"
#include "daemon/notify.h"
#include "daemon/service.h"
#include "http/server.h"
#include "mta/filter.h"
#include "mta/listen.h"
#include "mta/loop.h"
#include "mta/probe.h"

enum {
    BACKLOG = 1024,      /* a burst of connections waits here, not in the MTA's time-out */
    END_GRACE_MS = 500,  /* after a signal, for messages that begin just then */
    END_WAIT_MS = 10000, /* at the end, for callbacks under way: they have been told to finish */
    END_STEP_MS = 10,
    END_LAST_WRITE_MS = 200, /* for libmilter to write the answer of a callback that has returned */
};

static const char default_path[] = SYSCONFDIR "/ringback/ringback.conf";

struct arguments {
    const char *config, *pid_file;
    bool foreground, check;
};

static int say(int status, const char *text)
{
    (void)fprintf(stderr, "ringback-milter: %s\n", text);
    notify_status(text);
    return status;
}

static const char help[] = "usage: ringback-milter [-c FILE] [-f] [-p FILE]\n"
                           "       ringback-milter [-c FILE] -t\n"
                           "       ringback-milter -V\n"
                           "\n"
                           "  -c FILE   the configuration; " SYSCONFDIR "/ringback/ringback.conf\n"
                           "  -f        stays in the foreground, and logs to standard error\n"
                           "  -p FILE   keeps its process id there\n"
                           "  -t        checks the configuration, and exits\n"
                           "  -V        says its version and what was built in, and exits\n"
                           "\n"
                           "ringback-milter(8) and ringback.conf(5) tell more.\n";

static int usage(void)
{
    (void)fputs(help, stderr);
    return EX_USAGE;
}

static int surplus(const char *argument)
{
    (void)fprintf(stderr, "ringback-milter: \"%s\" is one argument too many\n", argument);
    return usage();
}

static void print_version(void)
{
    unsigned major = 0, minor = 0, patch = 0;

    (void)smfi_version(&major, &minor, &patch);
    printf("ringback-milter %s\n"
           "libmilter %u.%u.%u, milter protocol %d\n"
           "features: %s\n"
           "configuration: %s\n",
           PACKAGE_VERSION, major, minor, patch, SMFI_PROT_VERSION, RB_FEATURES, default_path);
}

/* --- Configuration -------------------------------------------------------- */

static int load_configuration(const char *path, struct config **config)
{
    char error[CONFIG_ERROR_SIZE];

    if (config_load(path, config, error, sizeof error) == RB_OK)
        return EX_OK;
    return say(EX_CONFIG, error);
}

static int check_configuration(const struct config *config)
{
    const char *warning;
    gid_t group;

    for (size_t i = 0; (warning = config_warnings(config, i)) != NULL; i++)
        (void)fprintf(stderr, "ringback-milter: warning: %s\n", warning);
    if (!daemon_has_user(config))
        (void)fprintf(stderr, "ringback-milter: warning: %s: user: there is no user \"%s\"\n",
                      config->path, config->user);
    if (config->listen_group[0] != '\0' && !daemon_find_group(config->listen_group, &group))
        (void)fprintf(stderr,
                      "ringback-milter: warning: %s: listen_group: there is no group \"%s\"\n",
                      config->path, config->listen_group);
    printf("%s: configuration is good\n", config->path);
    return EX_OK;
}

/* --- Reloading ------------------------------------------------------------ */

static void *reload_thread(void *arg)
{
    char said[1000];

    (void)arg;
    for (;;) {
        signals_await_reload();
        (void)service_reload(said, sizeof said);
    }
    return NULL;
}

/* Once all is up: a SIGUSR1 that came before is pending until then. */
static int start_reload_thread(void)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, reload_thread, NULL) != 0)
        return say(EX_OSERR, "cannot start a thread");
    return EX_OK;
}

/* --- Starting ------------------------------------------------------------- */

static int open_service(const char *path, struct config *config)
{
    char detail[300] = "", line[400];
    enum rb_error error = service_start(path, config, loop_wake, detail, sizeof detail);

    if (error == RB_OK)
        return EX_OK;
    (void)snprintf(line, sizeof line, "%s%s", error == RB_ERR_STORE ? "cache.store: " : "",
                   detail[0] != '\0' ? detail : rb_error_text(error));
    config_put(config);
    return say(error == RB_ERR_STORE      ? EX_CANTCREAT
               : error == RB_ERR_ARGUMENT ? EX_CONFIG
                                          : EX_OSERR,
               line);
}

static int cannot_open(const struct config *config, const struct listen_place *place)
{
    char line[400];

    if (place->inherited) {
        (void)snprintf(line, sizeof line,
                       "%s: listen: this libmilter takes no socket from systemd; an address would "
                       "be right",
                       config->path);
        return say(EX_CONFIG, line);
    }
    (void)snprintf(line, sizeof line, "listen: cannot listen on %s: libmilter says in syslog why",
                   config->listen);
    return say(EX_UNAVAILABLE, line);
}

/* A unix socket is for those whom the configuration names, whatever umask we were started with. */
static bool create_socket(const struct listen_place *place)
{
    const mode_t mask = umask(~place->mode & 0777);
    const int result = smfi_opensocket(false);

    (void)umask(mask);
    return result == MI_SUCCESS;
}

static int open_socket(const struct config *config, struct listen_place *place)
{
    char error[LISTEN_ERROR_SIZE];
    int status = listen_prepare(config, place, error);

    if (status != EX_OK)
        return say(status, error);
    loop_init(&place->address, place->address_len);
    (void)smfi_setbacklog(BACKLOG);
    if (!filter_register(place->conn, place->address.ss_family != AF_UNIX) || !create_socket(place))
        return cannot_open(config, place);
    status = listen_settle(place, error);
    return status == EX_OK ? EX_OK : say(status, error);
}

static int open_control(const char *path)
{
    char line[400], why[128];

    if (control_start(path))
        return EX_OK;
    (void)snprintf(line, sizeof line, "%s: %s", path, strerror_r(errno, why, sizeof why));
    return say(errno == EADDRINUSE ? EX_UNAVAILABLE : EX_CANTCREAT, line);
}

/* Each of its own thread, which asks at our own socket. */
static struct probe probe_of_heartbeat = PROBE_INITIAL, probe_of_health = PROBE_INITIAL;

static bool has_answered(void)
{
    return probe_answered(&probe_of_heartbeat);
}

static bool is_served(void)
{
    return loop_is_running() && probe_serves(&probe_of_health);
}

static int open_http(const struct config *config)
{
    char error[HTTP_ERROR_SIZE];
    int status;

    if (config->http[0] != '\0' && !history_start(NULL))
        return say(EX_OSERR, "no memory for what the status page shows");
    status = http_start(config, is_served, error);
    return status == EX_OK ? EX_OK : say(status, error);
}

/* All sockets; where one cannot be opened those before it are closed. */
static int open_sockets(const struct config *config, struct listen_place *place)
{
    int status = open_socket(config, place);

    if (status != EX_OK)
        return status;
    status = open_control(config->control);
    if (status == EX_OK) {
        status = open_http(config);
        if (status != EX_OK)
            control_stop();
    }
    if (status != EX_OK && place->path != NULL)
        (void)unlink(place->path);
    return status;
}

/* --- Running and ending --------------------------------------------------- */

/*
 * Whether no client waits for a verdict any more. Not at once: the MTA sends MAIL with the first
 * RCPT, and we may not have read what it has sent.
 */
static bool end_may_come(int waited_ms)
{
    if (metrics_sessions_open() == 0)
        return true;
    if (waited_ms < END_GRACE_MS)
        return false;
    filter_announce_end();
    return filter_transactions_open() == 0;
}

/* Waits for callbacks: libmilter may return while some still run. */
static void finish_callbacks(void)
{
    for (int waited = 0; filter_callbacks_running() > 0 && waited < END_WAIT_MS;
         waited += END_STEP_MS)
        sleep_ms(END_STEP_MS);
    if (metrics_sessions_open() > 0)
        sleep_ms(END_LAST_WRITE_MS);
}

static void warn_of_descriptors(const struct config *config)
{
    const unsigned long allowed = daemon_scarce_descriptors(config);

    if (allowed > 0)
        log_line(LOG_LEVEL_WARNING,
                 "callout: max_workers = %u and max_held = %u, and clients, may need more "
                 "descriptors than the %lu "
                 "there may be: raise their limit (LimitNOFILE, ulimit -Hn), or lower max_held",
                 config->callout.max_workers, config->callout.max_held, allowed);
}

static void announce_end(void)
{
    notify_ending();
    service_stop();
    heartbeat_stop();
    notify_status("Ends");
    probe_end(&probe_of_heartbeat);
}

static int run_until_end(const struct arguments *arguments, struct config *config)
{
    static const struct loop_end end = {.announce = announce_end, .may_come = end_may_come};
    int status = start_reload_thread();
    bool served;

    if (status != EX_OK)
        return status;
    if (!heartbeat_start(has_answered))
        return say(EX_OSERR, "cannot start a thread");
    daemon_write_pid_file();
    daemon_ready();
    log_open(arguments->foreground, config_facility(config), config->log_level);
    log_line(LOG_LEVEL_INFO, "ringback-milter %s listens on %s%s", PACKAGE_VERSION, config->listen,
             config->dry_run ? ", dry run: nothing is refused" : "");
    warn_of_descriptors(config);
    notify_ready();
    served = loop_run(&end);
    announce_end(); /* libmilter may have failed, without a signal */
    finish_callbacks();
    log_line(LOG_LEVEL_INFO, "ringback-milter ends%s", served ? "" : ": libmilter failed");
    return served ? EX_OK : EX_SOFTWARE;
}

/* After the folders and the user: the cache, then the sockets. */
static int serve_mta(const struct arguments *arguments, struct config *config)
{
    struct listen_place place;
    int status;

    log_open(true, config_facility(config), config->log_level);
    status = open_service(arguments->config, config_get(config));
    if (status != EX_OK)
        return status;
    status = open_sockets(config, &place);
    if (status == EX_OK) {
        status = run_until_end(arguments, config);
        http_stop();
        probe_end(&probe_of_health);
        history_end();
        control_stop();
    }
    /* Threads of libmilter may still use sessions: then nothing is freed. */
    if (metrics_sessions_open() > 0) {
        service_flush();
        daemon_remove_pid_file();
        _exit(status);
    }
    service_end();
    return status;
}

static int start_daemon(const struct arguments *arguments, struct config *config)
{
    char error[DAEMON_ERROR_SIZE];
    int status = 0;

    listen_inherit();
    daemon_raise_descriptors();
    daemon_few_arenas();
    daemon_small_stacks();
    if (arguments->pid_file != NULL)
        status = daemon_open_pid_file(arguments->pid_file, error);
    if (status == 0)
        status = daemon_become_user(config, error);
    if (status == 0 && !arguments->foreground)
        status = daemon_background(error);
    if (status != 0)
        return say(status, error);
    status = serve_mta(arguments, config);
    daemon_remove_pid_file();
    return status;
}

/* -1: go on; otherwise the exit status. */
static int parse_arguments(int argc, char **argv, struct arguments *arguments)
{
    static const struct option options[] = {
        {"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, 'V'}, {0}};
    int option;

    *arguments = (struct arguments){.config = default_path};
    while ((option = getopt_long(argc, argv, "c:fhp:tV", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            arguments->config = optarg;
            break;
        case 'f':
            arguments->foreground = true;
            break;
        case 'p':
            arguments->pid_file = optarg;
            break;
        case 't':
            arguments->check = true;
            break;
        case 'V':
            print_version();
            return EX_OK;
        case 'h':
            (void)fputs(help, stdout);
            return EX_OK;
        default:
            return usage();
        }
    }
    return optind == argc ? -1 : surplus(argv[optind]);
}

/*
 * daemon_background changes the folder: a reload would not find a relative path. Links stay links:
 * a reload reads what they point to then. The caller's; NULL: it cannot be told.
 */
static char *absolute(const char *path)
{
    char *folder = path[0] != '/' ? getcwd(NULL, 0) : NULL, *whole = NULL;

    if (path[0] == '/')
        return strdup(path);
    if (folder != NULL && asprintf(&whole, "%s/%s", folder, path) < 0)
        whole = NULL;
    free(folder);
    return whole;
}

int main(int argc, char **argv)
{
    struct arguments arguments;
    struct config *config;
    char *path;
    int status = parse_arguments(argc, argv, &arguments);

    if (status >= 0)
        return status;
    if (!arguments.check)
        signals_block();
    path = absolute(arguments.config);
    if (path != NULL)
        arguments.config = path;
    status = load_configuration(arguments.config, &config);
    if (status == EX_OK) {
        status = arguments.check ? check_configuration(config) : start_daemon(&arguments, config);
        config_put(config);
    }
    free(path);
    return status;
}
