/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * service: see service.h. Owns: the configuration in force, the verifier, what was found out about
 * our identity. Lock: `lock` for the first, `identity_lock` for the last, neither while anything is
 * done; `reloading` keeps a reload from meeting another one, or the start or end, and is taken
 * before either.
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
#include "daemon/observer.h"
#include "verifier/verifier.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct config *current;                                /* lock */
static time_t configured;                                     /* lock */
static struct stat config_file;                               /* lock; as it was read */
static pthread_mutex_t reloading = PTHREAD_MUTEX_INITIALIZER; /* one at a time; taken before lock */
static char *config_path;
static time_t started;
static char store_news[512]; /* lock; of the store, since the last reload */

static struct session_world world; /* written by service_start and service_end alone */

/* Of the cache; in a thread of the verifier's, or while a reload hands it new options. */
static void hear(void *arg, enum rb_event event, const char *text)
{
    (void)arg;
    log_line(event == RB_EVENT_WRITES_TAKEN  ? LOG_LEVEL_INFO
             : event == RB_EVENT_WRITES_LOST ? LOG_LEVEL_WARNING
                                             : LOG_LEVEL_ERROR,
             "%s", text);
    if (event != RB_EVENT_STORE_RENEWED && event != RB_EVENT_STORE_LOST)
        return;
    pthread_mutex_lock(&lock);
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

enum { IDENTITY_MS = 5000 };

static pthread_mutex_t identity_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t identity_found = PTHREAD_COND_INITIALIZER;
static struct identity identity;                 /* identity_lock; what was found last */
static bool identity_known, looking_at_identity; /* identity_lock */

static void *identity_thread(void *arg)
{
    struct identity found;

    (void)arg;
    verifier_identity(world.verifier, IDENTITY_MS, &found);
    for (size_t i = 0; i < found.count; i++)
        log_line(LOG_LEVEL_WARNING, "%s", found.warning[i]);
    pthread_mutex_lock(&identity_lock);
    identity = found;
    identity_known = true;
    looking_at_identity = false;
    pthread_cond_broadcast(&identity_found);
    pthread_mutex_unlock(&identity_lock);
    return NULL;
}

/* Begins to look, unless that is under way: in a thread of its own, as name servers may be slow. */
static void look_at_identity(void)
{
    pthread_attr_t attributes;
    pthread_t thread;

    pthread_mutex_lock(&identity_lock);
    if (!looking_at_identity && pthread_attr_init(&attributes) == 0) {
        pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        looking_at_identity = pthread_create(&thread, &attributes, identity_thread, NULL) == 0;
        pthread_attr_destroy(&attributes);
    }
    pthread_mutex_unlock(&identity_lock);
}

/* Waits for a look that is under way: it uses the verifier. */
static void await_identity(void)
{
    pthread_mutex_lock(&identity_lock);
    while (looking_at_identity)
        pthread_cond_wait(&identity_found, &identity_lock);
    pthread_mutex_unlock(&identity_lock);
}

bool service_identity(struct identity *found)
{
    bool known;

    pthread_mutex_lock(&identity_lock);
    *found = identity;
    known = identity_known;
    pthread_mutex_unlock(&identity_lock);
    return known;
}

/* --- Starting ------------------------------------------------------------- */

static void log_warnings(const struct config *config)
{
    const char *warning;

    for (size_t i = 0; (warning = config_warnings(config, i)) != NULL; i++)
        log_line(LOG_LEVEL_WARNING, "%s", warning);
}

/* Zeroed where there is none. */
static struct stat file_status(const struct config *config)
{
    struct stat status = {0};

    if (config->path[0] == '\0' || stat(config->path, &status) != 0)
        status = (struct stat){0};
    return status;
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
    options.observer.event = hear;
    error = rb_verifier_open(&options, &world.verifier, detail, detail_size);
    if (error != RB_OK)
        return error;
    if (detail[0] != '\0')
        log_line(LOG_LEVEL_ERROR, "%s", detail); /* the cache was damaged and begun anew, say */
    pthread_mutex_lock(&reloading);
    pthread_mutex_lock(&lock);
    config_path = path != NULL ? strdup(path) : NULL;
    current = config;
    config_file = file_status(config);
    started = configured = time(NULL);
    pthread_mutex_unlock(&lock);
    pthread_mutex_unlock(&reloading);
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

/* A reload looks after the cache: whoever asked for it is to know what was found. */
static void add_store_news(char *said, size_t size)
{
    const size_t len = strlen(said);

    pthread_mutex_lock(&lock);
    if (store_news[0] != '\0')
        (void)snprintf(said + len, size - len, "; %s", store_news);
    store_news[0] = '\0';
    pthread_mutex_unlock(&lock);
}

static bool take(struct config *fresh, char *said, size_t size)
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
    pthread_mutex_lock(&lock);
    before = current;
    current = fresh;
    config_file = file_status(fresh);
    configured = time(NULL);
    pthread_mutex_unlock(&lock);
    (void)snprintf(said, size, "%s: configuration taken", fresh->path);
    add_fixed(before, fresh, said, size);
    add_store_news(said, size);
    look_at_identity();
    config_put(before);
    return true;
}

bool service_reload(char *said, size_t size)
{
    struct config *fresh = NULL;
    bool taken = false;

    pthread_mutex_lock(&reloading);
    if (current == NULL) /* written under both locks */
        (void)snprintf(said, size, "the daemon starts or ends just now");
    else if (config_path == NULL)
        (void)snprintf(said, size, "started without a configuration file: nothing to read again");
    else if (config_load(config_path, &fresh, said, size) == RB_OK)
        taken = take(fresh, said, size);
    if (!taken)
        config_put(fresh);
    pthread_mutex_unlock(&reloading);
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
    if (world.verifier->memory.cache != NULL)
        cache_flush(world.verifier->memory.cache);
}

void service_end(void)
{
    enum rb_error error;

    pthread_mutex_lock(&reloading); /* a signal may just have asked for it */
    await_identity();
    error = rb_verifier_close(world.verifier);
    if (error != RB_OK)
        log_line(LOG_LEVEL_ERROR, "closing: %s", rb_error_text(error));
    world.verifier = NULL;
    pthread_mutex_lock(&lock);
    config_put(current);
    current = NULL;
    pthread_mutex_unlock(&lock);
    free(config_path);
    config_path = NULL;
    pthread_mutex_unlock(&reloading);
}
