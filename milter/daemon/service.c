/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * service: see service.h. Owns: the configuration in force, the verifier, and what was found out of
 * our identity. Lock: `lock`, for all that says so; never held while anything is done.
 */
#include "config.h"

#include "daemon/service.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/sleep.h"
#include "base/text.h"
#include "daemon/notify.h"
#include "daemon/observer.h"
#include "extension/sockets.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t over = PTHREAD_COND_INITIALIZER; /* lock; `changing` or `looking` ended */

static bool changing;                /* lock; a start, a reload or the end is under way */
static struct config *current;       /* lock; NULL: before the start, and after the end */
static struct stat config_file;      /* lock; as it was when it was read */
static time_t configured;            /* lock */
static char store_news[512];         /* lock; of the store, since the last reload */
static struct identity identity;     /* lock; what was found last */
static bool identity_known, looking; /* lock */
static bool refused;                 /* lock; the last reload was */

static char *config_path;          /* of whoever has set `changing` */
static time_t started;             /* written by service_start alone */
static struct session_world world; /* written by service_start and service_end alone */

/* Waits until no other change is under way. */
static void begin_change(void)
{
    pthread_mutex_lock(&lock);
    while (changing)
        pthread_cond_wait(&over, &lock);
    changing = true;
    pthread_mutex_unlock(&lock);
}

static void end_change(void)
{
    pthread_mutex_lock(&lock);
    changing = false;
    pthread_cond_broadcast(&over);
    pthread_mutex_unlock(&lock);
}

static enum log_level level_of(enum rb_event event)
{
    switch (event) {
    case RB_EVENT_WRITES_TAKEN:
    case RB_EVENT_DNS_ANSWERS:
        return LOG_LEVEL_INFO;
    case RB_EVENT_WRITES_LOST:
    case RB_EVENT_DNS_SILENT:
        return LOG_LEVEL_WARNING;
    default:
        return LOG_LEVEL_ERROR;
    }
}

/* What the library tells: from one of its threads, or while a reload hands it options. */
static void note_event(void *arg, enum rb_event event, const char *text)
{
    (void)arg;
    log_line(level_of(event), "%s", text);
    pthread_mutex_lock(&lock);
    if (event == RB_EVENT_STORE_RENEWED || event == RB_EVENT_STORE_LOST)
        (void)snprintf(store_news, sizeof store_news, "%s", text);
    pthread_mutex_unlock(&lock);
}

/* Keeps a client waiting, and nobody else. */
static void pause_client(unsigned ms)
{
    if (world.before_wait != NULL)
        world.before_wait();
    sleep_ms(ms);
}

/* --- Our identity --------------------------------------------------------- */

enum { IDENTITY_MS = 5000 }; /* for name servers to answer */

/* found: NULL where nothing was. */
static void end_look(const struct identity *found)
{
    pthread_mutex_lock(&lock);
    if (found != NULL) {
        identity = *found;
        identity_known = true;
    }
    looking = false;
    pthread_cond_broadcast(&over);
    pthread_mutex_unlock(&lock);
}

static void note_warning(void *arg, const char *text)
{
    struct identity *found = arg;

    log_line(LOG_LEVEL_WARNING, "%s", text);
    if (found->count < IDENTITY_WARNINGS_MAX)
        (void)text_copy(found->warning[found->count++], IDENTITY_WARNING_SIZE, text);
}

static void *identity_thread(void *arg)
{
    struct identity found = {.count = 0};

    (void)arg;
    rb_check_identity(world.verifier, rb_now_ms(world.verifier) + IDENTITY_MS, note_warning,
                      &found);
    end_look(&found);
    return NULL;
}

/* Begins to look, unless that is under way: in a thread of its own, as name servers may be slow. */
static void look_at_identity(void)
{
    bool is_under_way;
    pthread_t thread;

    pthread_mutex_lock(&lock);
    is_under_way = looking;
    looking = true;
    pthread_mutex_unlock(&lock);
    if (is_under_way)
        return;
    if (pthread_create(&thread, NULL, identity_thread, NULL) == 0)
        (void)pthread_detach(thread);
    else
        end_look(NULL);
}

/* Waits for a look that is under way: it uses the verifier. */
static void await_identity(void)
{
    pthread_mutex_lock(&lock);
    while (looking)
        pthread_cond_wait(&over, &lock);
    pthread_mutex_unlock(&lock);
}

bool service_identity(struct identity *found)
{
    bool known;

    pthread_mutex_lock(&lock);
    *found = identity;
    known = identity_known;
    pthread_mutex_unlock(&lock);
    return known;
}

/* --- Starting ------------------------------------------------------------- */

/* Whom the configuration file cannot know of: users whose connections do not show here that they
 * are theirs. */
static void warn_of_owners(const struct config *config)
{
    for (size_t i = 0; config->connect_back.answer && i < config->connect_back.answer_uid_count;
         i++)
        if (!sockets_sees_owner(config->connect_back.answer_uids[i])) {
            log_line(LOG_LEVEL_WARNING,
                     "connect_back.answer: connections of user %u cannot be told from others' here "
                     "(PrivateUsers= of systemd, say): \"maybe\" is the most that is said of them",
                     (unsigned)config->connect_back.answer_uids[i]);
            return;
        }
}

static void log_warnings(const struct config *config)
{
    const char *warning;

    for (size_t i = 0; (warning = config_warnings(config, i)) != NULL; i++)
        log_line(LOG_LEVEL_WARNING, "%s", warning);
    warn_of_owners(config);
}

/* Zeroed where there is no file. */
static struct stat file_status(const struct config *config)
{
    struct stat status = {0};

    if (config->path[0] == '\0' || stat(config->path, &status) != 0)
        status = (struct stat){0};
    return status;
}

/* Puts a configuration into force. Returns the one before, whose reference is the caller's. */
static struct config *put_in_force(struct config *config)
{
    const struct stat file = file_status(config);
    struct config *before;

    pthread_mutex_lock(&lock);
    before = current;
    current = config;
    config_file = file;
    configured = time(NULL);
    pthread_mutex_unlock(&lock);
    return before;
}

enum rb_error service_start(const char *path, struct config *config, void (*before_wait)(void),
                            char *detail, size_t detail_size)
{
    struct rb_options options;
    enum rb_error error;

    world.before_wait = before_wait;
    world.pause = pause_client;
    world.observer = &observer_of_sessions;
    config_options(config, &options);
    options.observer.event = note_event;
    error = rb_verifier_open(&options, &world.verifier, detail, detail_size);
    if (error != RB_OK)
        return error;
    if (detail[0] != '\0')
        log_line(LOG_LEVEL_ERROR, "%s", detail); /* such as: the cache was damaged and begun anew */
    started = time(NULL);
    begin_change();
    config_path = path != NULL ? strdup(path) : NULL;
    (void)put_in_force(config);
    end_change();
    log_warnings(config);
    look_at_identity();
    return RB_OK;
}

struct config *service_config(void)
{
    struct config *config;

    pthread_mutex_lock(&lock);
    config = config_get(current);
    pthread_mutex_unlock(&lock);
    return config;
}

const struct session_world *service_world(void)
{
    return &world;
}

time_t service_started(void)
{
    return started;
}

time_t service_configured(void)
{
    time_t when;

    pthread_mutex_lock(&lock);
    when = configured;
    pthread_mutex_unlock(&lock);
    return when;
}

struct service_troubles service_troubles(void)
{
    struct rb_health health;

    rb_health_init(&health);
    rb_verifier_health(world.verifier, &health);
    return (struct service_troubles){.dns_is_silent = health.dns_is_silent,
                                     .store_is_lost = health.store_is_lost,
                                     .writes_are_lost = health.writes_are_lost};
}

bool service_config_changed(void)
{
    struct config *config = service_config();
    struct stat now = file_status(config), then;

    pthread_mutex_lock(&lock);
    then = config_file;
    pthread_mutex_unlock(&lock);
    config_put(config);
    return now.st_dev != then.st_dev || now.st_ino != then.st_ino || now.st_size != then.st_size ||
           now.st_mtim.tv_sec != then.st_mtim.tv_sec || now.st_mtim.tv_nsec != then.st_mtim.tv_nsec;
}

/* --- Reloading ------------------------------------------------------------ */

/* Directives that differ and take effect only at a start: "; needs a restart: listen, user". */
static void add_fixed(const struct config *before, const struct config *after, char *said,
                      size_t size)
{
    size_t next = 0, len = strlen(said);
    char name[64];
    bool first = true;

    while (len + 1 < size && config_fixed_difference(before, after, &next, name, sizeof name)) {
        int more = snprintf(said + len, size - len, "%s%s",
                            first ? "; needs a restart to take effect: " : ", ", name);

        len += more > 0 ? (size_t)more : 0;
        first = false;
    }
}

/*
 * A reload looks whether the store is still there: whoever asked for the reload is told what was
 * found.
 */
static void add_store_news(char *said, size_t size)
{
    const size_t len = strlen(said);

    pthread_mutex_lock(&lock);
    if (store_news[0] != '\0')
        (void)snprintf(said + len, size - len, "; %s", store_news);
    store_news[0] = '\0';
    pthread_mutex_unlock(&lock);
}

static bool take_configuration(struct config *fresh, char *said, size_t size)
{
    struct rb_options options;
    struct config *before;
    enum rb_error error;

    config_options(fresh, &options);
    error = rb_verifier_set_options(world.verifier, &options);
    if (error != RB_OK) {
        (void)snprintf(said, size, "the verifier refused the configuration: %s",
                       rb_error_text(error));
        return false;
    }
    log_set_level(fresh->log_level);
    log_warnings(fresh);
    before = put_in_force(fresh);
    (void)snprintf(said, size, "%s: configuration taken", fresh->path);
    add_fixed(before, fresh, said, size);
    add_store_news(said, size);
    look_at_identity();
    config_put(before);
    return true;
}

static bool is_running(void)
{
    bool is;

    pthread_mutex_lock(&lock);
    is = current != NULL;
    pthread_mutex_unlock(&lock);
    return is;
}

static void note_refused(bool value)
{
    pthread_mutex_lock(&lock);
    refused = value;
    pthread_mutex_unlock(&lock);
}

bool service_reload_refused(void)
{
    bool was;

    pthread_mutex_lock(&lock);
    was = refused;
    pthread_mutex_unlock(&lock);
    return was;
}

bool service_reload(char *said, size_t size)
{
    struct config *fresh = NULL;
    bool taken = false;

    begin_change();
    notify_reloading();
    if (!is_running())
        (void)snprintf(said, size, "the daemon starts or ends just now");
    else if (config_path == NULL)
        (void)snprintf(said, size, "started without a configuration file: nothing to read again");
    else if (config_load(config_path, &fresh, said, size) == RB_OK)
        taken = take_configuration(fresh, said, size);
    if (!taken)
        config_put(fresh);
    note_refused(!taken);
    notify_reloaded();
    end_change();
    log_line(taken ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR, "reload: %s%s", said,
             taken ? "" : "; the old configuration stays in force");
    return taken;
}

/* --- Ending --------------------------------------------------------------- */

void service_stop(void)
{
    rb_verifier_stop(world.verifier);
}

void service_flush(void)
{
    (void)rb_verifier_flush(world.verifier);
}

void service_end(void)
{
    struct config *last;
    enum rb_error error;

    begin_change(); /* a signal may just have asked for a reload */
    await_identity();
    error = rb_verifier_close(world.verifier);
    if (error != RB_OK && error != RB_ERR_STORE) /* lost writes were told of as they were lost */
        log_line(LOG_LEVEL_ERROR, "closing: %s", rb_error_text(error));
    world.verifier = NULL;
    pthread_mutex_lock(&lock);
    last = current;
    current = NULL;
    pthread_mutex_unlock(&lock);
    config_put(last);
    free(config_path);
    config_path = NULL;
    end_change();
}
