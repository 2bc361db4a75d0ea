/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The configuration's text. What is taken is printed, taken again, and then prints the same; what
 * is refused is refused in one printable line. A part of it is what the whole has there. The file
 * is one in memory; this machine's name and the resolver are kept out.
 */
#include "config.h"

#include "fuzz.h"

#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config/configuration.h"

const char fuzz_name[] = "config";

/* Stands in for the C library's: the same everywhere, and nobody is asked to complete it. */
int gethostname(char *name, size_t size)
{
    (void)snprintf(name, size, "fuzz.example.org");
    return 0;
}

static bool is_one_line(const char *text)
{
    for (; *text != '\0'; text++)
        if (*text < ' ' || *text > '~')
            return false;
    return true;
}

static enum rb_error load_scope(const void *text, size_t len, enum config_scope scope,
                                struct config **config)
{
    char path[64], error[CONFIG_ERROR_SIZE] = "?";
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    enum rb_error result;

    HOLDS(fd >= 0 && write(fd, text, len) == (ssize_t)len);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    result = config_load_scope(path, scope, config, error, sizeof error);
    (void)close(fd);
    HOLDS((result == RB_OK) == (error[0] == '\0') && is_one_line(error));
    HOLDS(result == RB_OK || strncmp(error, "/proc/self/fd/", 14) == 0 || error[0] == '/');
    return result;
}

static enum rb_error load(const void *text, size_t len, struct config **config)
{
    return load_scope(text, len, CONFIG_WHOLE, config);
}

static void check_part(const struct config *part, const struct config *whole,
                       enum config_scope scope)
{
    bool all = scope == CONFIG_TO_PRINT;

    if (all || scope == CONFIG_CONTROL)
        HOLDS(strcmp(part->control, whole->control) == 0);
    if (all || scope == CONFIG_CACHE || scope == CONFIG_CALLOUTS) {
        HOLDS(strcmp(part->cache.store, whole->cache.store) == 0);
        HOLDS(part->cache.max_size == whole->cache.max_size);
    }
    if (all || scope == CONFIG_RESOLVERS || scope == CONFIG_CALLOUTS)
        HOLDS(part->resolvers.count == whole->resolvers.count);
    if (all || scope == CONFIG_CALLOUTS)
        HOLDS(strcmp(part->hostname, whole->hostname) == 0);
}

/* What some verbs need of it is what the whole says, where that is right. */
static void check_scopes(const void *text, size_t len, const struct config *whole)
{
    for (enum config_scope scope = CONFIG_TO_PRINT; scope <= CONFIG_CONTROL; scope++) {
        struct config *part = NULL;
        bool good = load_scope(text, len, scope, &part) == RB_OK;

        HOLDS(good || whole == NULL);
        if (good && whole != NULL)
            check_part(part, whole, scope);
        config_put(part);
    }
}

static char *print(const struct config *config, size_t *len)
{
    char *text = NULL;
    FILE *stream = open_memstream(&text, len);

    HOLDS(stream != NULL);
    config_print(config, stream);
    HOLDS(fclose(stream) == 0 && text != NULL);
    return text;
}

static void check_options(const struct config *config)
{
    struct rb_options options;

    config_options(config, &options);
    HOLDS(options.helo_name[0] != '\0' && strpbrk(options.helo_name, " \r\n") == NULL);
    HOLDS(strpbrk(options.mail_from, "\r\n") == NULL);
    HOLDS(strpbrk(options.fallback_mail_from, "\r\n") == NULL);
    HOLDS(options.max_workers > 0 && options.port > 0);
    for (size_t i = 0; config_warnings(config, i) != NULL; i++)
        HOLDS(i < CONFIG_WARNINGS_MAX && is_one_line(config_warnings(config, i)));
}

static void check_fixed_point(struct config *config)
{
    struct config *again = NULL;
    size_t len = 0, again_len = 0, next = 0;
    char *text = print(config, &len), *again_text;
    char name[64];

    HOLDS(load(text, len, &again) == RB_OK);
    again_text = print(again, &again_len);
    HOLDS(len == again_len && memcmp(text, again_text, len) == 0);
    HOLDS(!config_fixed_difference(config, again, &next, name, sizeof name));
    HOLDS(config->policy_count <= again->policy_count);
    check_options(again);
    free(text);
    free(again_text);
    config_put(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config *config = NULL;

    if (load(data, size, &config) != RB_OK) {
        HOLDS(config == NULL);
        check_scopes(data, size, NULL);
        return 0;
    }
    check_scopes(data, size, config);
    check_options(config);
    check_fixed_point(config);
    config_put(config);
    return 0;
}
