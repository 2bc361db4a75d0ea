/* SPDX-License-Identifier: BSD-2-Clause */
/* daemon: folders, user, background; see daemon.h. */
#include "config.h"

#include "daemon/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <malloc.h>
#include <pthread.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/signals.h"
#include "base/text.h"

enum {
    USER_BUFFER_SIZE = 16384,
    GROUP_BUFFER_SIZE = 65536, /* a group's line names its members */
    ARENAS_MAX = 2,
    THREAD_STACK_SIZE = RB_STACK_KIB * 1024, /* as of the library's workers */
    DESCRIPTORS_BESIDE = 512,                /* clients, name servers for SPF, the cache, the log */
};

static int ready_fd = -1;
static int pid_fd = -1;
static char pid_path[4096];

static int fail(char error[DAEMON_ERROR_SIZE], int status, const char *what, const char *why)
{
    (void)snprintf(error, DAEMON_ERROR_SIZE, "%s: %s", what, why);
    return status;
}

static int fail_errno(char error[DAEMON_ERROR_SIZE], int status, const char *what)
{
    char why[128];

    return fail(error, status, what, strerror_r(errno, why, sizeof why));
}

/* --- The user ------------------------------------------------------------- */

/* A folder that is there stays as it is; one that is made belongs to the user. One level only. */
static int make_folder(const char *path, const struct passwd *user, char error[DAEMON_ERROR_SIZE])
{
    if (mkdir(path, 0750) != 0)
        return errno == EEXIST ? 0 : fail_errno(error, EX_CANTCREAT, path);
    if (chown(path, user->pw_uid, user->pw_gid) != 0)
        return fail_errno(error, EX_CANTCREAT, path);
    return 0;
}

static int make_folder_of(const char *file, const struct passwd *user,
                          char error[DAEMON_ERROR_SIZE])
{
    char folder[4096];
    const char *slash = strrchr(file, '/');

    if (slash == NULL || slash == file)
        return 0;
    (void)snprintf(folder, sizeof folder, "%.*s", (int)(slash - file), file);
    return make_folder(folder, user, error);
}

/* The folder of a unix listening socket belongs to listen_group: the MTA must get to the socket. */
static int make_listen_folder(const struct config *config, const struct passwd *user, gid_t group,
                              char error[DAEMON_ERROR_SIZE])
{
    const char *path = value_unix_path(config->listen);
    struct passwd owner = *user;

    owner.pw_gid = group;
    return path != NULL ? make_folder_of(path, &owner, error) : 0;
}

static int make_folders(const struct config *config, const struct passwd *user, gid_t listen_group,
                        char error[DAEMON_ERROR_SIZE])
{
    const char *store = strchr(config->cache.store, ':');
    int status = make_listen_folder(config, user, listen_group, error);

    if (status == 0)
        status = make_folder_of(config->control, user, error);
    if (status == 0 && store != NULL) /* "/var/lib/ringback/cache": both levels may be missing */
        status = make_folder_of(store + 1, user, error);
    if (status == 0 && store != NULL)
        status = make_folder(store + 1, user, error);
    return status;
}

bool daemon_has_user(const struct config *config)
{
    char buffer[USER_BUFFER_SIZE];
    struct passwd storage, *user = NULL;

    return geteuid() != 0 || config->user[0] == '\0' ||
           (getpwnam_r(config->user, &storage, buffer, sizeof buffer, &user) == 0 && user != NULL);
}

bool daemon_find_group(const char *name, gid_t *group)
{
    char *buffer = malloc(GROUP_BUFFER_SIZE);
    struct group storage, *found = NULL;

    if (buffer != NULL && getgrnam_r(name, &storage, buffer, GROUP_BUFFER_SIZE, &found) != 0)
        found = NULL;
    if (found != NULL)
        *group = found->gr_gid;
    free(buffer);
    return found != NULL;
}

/* The user's own group where listen_group does not exist: listen_prepare says that it does not. */
static gid_t group_of_socket(const struct config *config, const struct passwd *user)
{
    gid_t group;

    if (value_unix_path(config->listen) == NULL || config->listen_group[0] == '\0' ||
        !daemon_find_group(config->listen_group, &group))
        return user->pw_gid;
    return group;
}

int daemon_become_user(const struct config *config, char error[DAEMON_ERROR_SIZE])
{
    char buffer[USER_BUFFER_SIZE];
    struct passwd storage, *user = NULL;
    gid_t listen_group;
    int status;

    if (geteuid() != 0 || config->user[0] == '\0')
        return 0;
    if (getpwnam_r(config->user, &storage, buffer, sizeof buffer, &user) != 0 || user == NULL) {
        (void)snprintf(error, DAEMON_ERROR_SIZE,
                       "%s: user: there is no user \"%s\"; create it (adduser --system --group %s) "
                       "or name another",
                       config->path, config->user, config->user);
        return EX_CONFIG;
    }
    listen_group = group_of_socket(config, user);
    status = make_folders(config, user, listen_group, error);
    if (status != 0)
        return status;
    /* A member of its group can give the socket away later, when no privilege is left. */
    if (initgroups(user->pw_name, listen_group) != 0 || setgid(user->pw_gid) != 0 ||
        setuid(user->pw_uid) != 0)
        return fail_errno(error, EX_OSERR, config->user);
    return 0;
}

void daemon_raise_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

void daemon_few_arenas(void)
{
    (void)mallopt(M_ARENA_MAX, ARENAS_MAX);
}

void daemon_small_stacks(void)
{
    pthread_attr_t attributes;

    if (pthread_attr_init(&attributes) != 0)
        return; /* stacks stay large: more memory, no harm */
    if (pthread_attr_setstacksize(&attributes, THREAD_STACK_SIZE) == 0)
        (void)pthread_setattr_default_np(&attributes);
    pthread_attr_destroy(&attributes);
}

unsigned long daemon_scarce_descriptors(const struct config *config)
{
    /*
     * A callout has one descriptor at a time: a name server's (a second for an answer by TCP), then
     * a mail host's.
     */
    const rlim_t needed =
        (rlim_t)config->callout.max_workers + config->callout.max_held + DESCRIPTORS_BESIDE;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return 0;
    return limit.rlim_cur < needed ? (unsigned long)limit.rlim_cur : 0;
}

/* --- The background ------------------------------------------------------- */

/* How the parent ends: an octet from the child says that it is up; none, that it has ended. */
static void follow_child(pid_t child, int fd) __attribute__((noreturn));

static void follow_child(pid_t child, int fd)
{
    int status = 0;
    char up;

    if (read(fd, &up, 1) == 1) {
        signals_pass_on(child); /* nobody knew the daemon's process id before */
        _exit(EX_OK);
    }
    if (waitpid(child, &status, 0) == child && WIFEXITED(status))
        _exit(WEXITSTATUS(status));
    _exit(EX_SOFTWARE);
}

int daemon_background(char error[DAEMON_ERROR_SIZE])
{
    int ends[2];
    pid_t child;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return fail_errno(error, EX_OSERR, "pipe");
    child = fork();
    if (child < 0)
        return fail_errno(error, EX_OSERR, "fork");
    if (child > 0) {
        close(ends[1]);
        follow_child(child, ends[0]);
    }
    close(ends[0]);
    ready_fd = ends[1];
    (void)setsid();
    return chdir("/") == 0 ? 0 : fail_errno(error, EX_OSERR, "/");
}

void daemon_ready(void)
{
    int null;

    if (ready_fd < 0)
        return;
    null = open("/dev/null", O_RDWR);
    if (null >= 0) {
        (void)dup2(null, STDIN_FILENO);
        (void)dup2(null, STDOUT_FILENO);
        (void)dup2(null, STDERR_FILENO);
        if (null > STDERR_FILENO)
            close(null);
    }
    (void)!write(ready_fd, "", 1);
    close(ready_fd);
    ready_fd = -1;
}

/* --- The pid file --------------------------------------------------------- */

int daemon_open_pid_file(const char *path, char error[DAEMON_ERROR_SIZE])
{
    if (!text_copy(pid_path, sizeof pid_path, path))
        return fail(error, EX_USAGE, path, "the path is too long");
    pid_fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    return pid_fd >= 0 ? 0 : fail_errno(error, EX_CANTCREAT, path);
}

void daemon_write_pid_file(void)
{
    if (pid_fd < 0)
        return;
    if (ftruncate(pid_fd, 0) == 0)
        (void)!dprintf(pid_fd, "%ld\n", (long)getpid());
}

void daemon_remove_pid_file(void)
{
    if (pid_fd < 0)
        return;
    /* As its user the daemon may have no right to remove the file any more: it empties it. */
    if (unlink(pid_path) != 0)
        (void)!ftruncate(pid_fd, 0);
    close(pid_fd);
    pid_fd = -1;
}
