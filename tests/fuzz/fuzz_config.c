/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The configuration's text. What is taken is printed, taken again, and then prints the same; what
 * is refused is refused in one printable line. The file is one in memory; this machine's name and
 * the resolver are kept out.
 */
#include "config.h"

#include "fuzz.h"

#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conf.h"

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

static enum rb_error load(const void *text, size_t len, struct config **config)
{
    char path[64], error[CONFIG_ERROR_SIZE] = "?";
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    enum rb_error result;

    HOLDS(fd >= 0 && write(fd, text, len) == (ssize_t)len);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    result = config_load(path, config, error, sizeof error);
    (void)close(fd);
    HOLDS((result == RB_OK) == (error[0] == '\0') && is_one_line(error));
    HOLDS(result == RB_OK || strncmp(error, "/proc/self/fd/", 14) == 0 || error[0] == '/');
    return result;
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
        return 0;
    }
    check_options(config);
    check_fixed_point(config);
    config_put(config);
    return 0;
}
