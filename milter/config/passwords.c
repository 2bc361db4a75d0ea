/* SPDX-License-Identifier: BSD-2-Clause */
/* passwords: see passwords.h. */
#include "config.h"

#include "config/passwords.h"

#include <crypt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"

enum { DIGEST_MIN = 43 }; /* characters of $5$ and $y$ behind the last "$" */

/* One line, and where it stands. */
struct line {
    const char *path;
    unsigned number;
    struct fault *fault;
};

static bool wrong(const struct line *line, const char *what)
{
    return fault_at(line->fault, RB_ERR_ARGUMENT, line->path, line->number, "%s", what);
}

static bool is_user(const char *name)
{
    const size_t len = strlen(name);

    for (size_t i = 0; i < len; i++)
        if (name[i] < ' ' || name[i] > '~')
            return false;
    return len >= 1 && len <= PASSWORDS_USER_MAX;
}

/*
 * crypt_checksalt looks at the method and the salt alone: what is behind them must be as long as
 * the shortest of today's methods makes it, or it is a salt without a hash.
 */
static bool is_hash(const char *hash)
{
    const char *last = strrchr(hash, '$');

    return last != NULL && hash[0] == '$' && strlen(last + 1) >= DIGEST_MIN &&
           strlen(hash) < CRYPT_OUTPUT_SIZE &&
           (crypt_checksalt(hash) == CRYPT_SALT_OK || strncmp(hash, "$5$", 3) == 0);
}

static bool has_user(const struct password_list *list, const char *user)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i].user, user) == 0)
            return true;
    return false;
}

static bool keep(struct password_list *list, const char *user, const char *hash)
{
    struct password *items = realloc(list->items, (list->count + 1) * sizeof *items);
    struct password *added;

    if (items == NULL)
        return false;
    list->items = items;
    added = &items[list->count];
    *added = (struct password){.user = strdup(user), .hash = strdup(hash)};
    list->count++; /* passwords_fini frees what there is of it */
    return added->user != NULL && added->hash != NULL;
}

static bool add_line(struct password_list *list, char *text, const struct line *line)
{
    char *colon = strchr(text, ':');

    if (colon == NULL)
        return wrong(line, "is no user with a password; \"USER:HASH\" would be right");
    *colon = '\0';
    if (!is_user(text))
        return wrong(line,
                     "this is no name of a user; 1 to 64 printable characters would be right");
    if (has_user(list, text))
        return wrong(line, "this user is there already; one line for each would be right");
    if (!is_hash(colon + 1))
        return wrong(line, "what is behind the user is no hash that counts; one that \"mkpasswd -m "
                           "yescrypt\" or \"openssl passwd -6\" prints would be right");
    if (list->count == PASSWORDS_MAX)
        return wrong(line, "one user too many; up to 1000 would be right");
    return keep(list, text, colon + 1) ||
           fault_at(line->fault, RB_ERR_NOMEM, line->path, line->number, "out of memory");
}

/* The text is changed. */
static bool add_lines(struct password_list *list, char *text, struct line *line)
{
    char *next;

    for (; text[0] != '\0'; text = next) { /* scan_file's text ends in a newline */
        char *end = strchr(text, '\n');

        next = end + 1;
        line->number++;
        while (end > text && char_is_in(end[-1], " \t\r"))
            end--;
        *end = '\0';
        if (text[0] != '\0' && text[0] != '#' && !add_line(list, text, line))
            return false;
    }
    line->number = 0;
    return list->count > 0 ||
           wrong(line, "has no user in it: nobody could look; a line \"USER:HASH\" would be right");
}

static bool is_private(const char *path, struct fault *fault)
{
    struct stat file;

    if (stat(path, &file) != 0 || (file.st_mode & S_IROTH) == 0)
        return true; /* scan_file says why a file cannot be read */
    return fault_at(fault, RB_ERR_ARGUMENT, path, 0,
                    "everybody may read it (mode %04o); \"chmod o= %s\" would be right",
                    (unsigned)(file.st_mode & 07777), path);
}

bool passwords_read(const char *path, struct password_list *list, struct fault *fault)
{
    struct line line = {.path = path, .fault = fault};
    char *text = NULL;
    size_t len = 0;
    bool fine = is_private(path, fault) &&
                scan_file(path, PASSWORDS_FILE_MAX, &text, &len, fault) == RB_OK &&
                add_lines(list, text, &line);

    if (text != NULL)
        explicit_bzero(text, len);
    free(text);
    if (!fine)
        passwords_fini(list);
    return fine;
}

void passwords_fini(struct password_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i].user);
        free(list->items[i].hash);
    }
    free(list->items);
    *list = (struct password_list){.items = NULL};
}
