/* SPDX-License-Identifier: BSD-2-Clause */
/* command: quoting for a shell; see command.h. */
#include "config.h"

#include "http/command.h"

#include <string.h>

#include "base/text.h"

static void add_octets(struct command *command, const char *octets, size_t len)
{
    if (command->failed || len >= sizeof command->text - command->len) {
        command->failed = true;
        return;
    }
    memcpy(command->text + command->len, octets, len);
    command->len += len;
    command->text[command->len] = '\0';
}

void command_add(struct command *command, const char *word)
{
    if (command->len > 0)
        add_octets(command, " ", 1);
    add_octets(command, word, strlen(word));
}

/* Whether a shell takes it as it is, wherever in a word it stands. */
static bool is_plain(const char *argument)
{
    if (argument[0] == '\0')
        return false;
    for (; *argument != '\0'; argument++)
        if (!char_is_letter(*argument) && !char_is_digit(*argument) &&
            !char_is_in(*argument, "@%+=:,./-_"))
            return false;
    return true;
}

static bool is_visible(const char *argument)
{
    for (; *argument != '\0'; argument++)
        if (*argument < ' ' || *argument > '~')
            return false;
    return true;
}

void command_add_argument(struct command *command, const char *argument)
{
    if (!is_visible(argument)) {
        command->failed = true;
        return;
    }
    if (is_plain(argument)) {
        command_add(command, argument);
        return;
    }
    command_add(command, "'");
    for (; *argument != '\0'; argument++)
        if (*argument == '\'')
            add_octets(command, "'\\''", 4);
        else
            add_octets(command, argument, 1);
    add_octets(command, "'", 1);
}

void command_begin(struct command *command, const char *verb, const struct config *config)
{
    *command = (struct command){.len = 0};
    command_add(command, "ringback");
    command_add(command, verb);
    if (config->path[0] == '\0' || strcmp(config->path, SYSCONFDIR "/ringback/ringback.conf") == 0)
        return;
    command_add(command, "-c");
    command_add_argument(command, config->path);
}

const char *command_text(const struct command *command)
{
    return command->failed ? NULL : command->text;
}
