/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * command: commands that an admin may copy into a shell: whatever a stranger's address holds, it
 * is one argument of `ringback`, and no option. Pure.
 */
#ifndef RB_MILTER_HTTP_COMMAND_H
#define RB_MILTER_HTTP_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "config/configuration.h"

enum { COMMAND_SIZE = 8192 };

/* A command under way; what does not fit, or cannot be typed, makes none of it. */
struct command {
    char text[COMMAND_SIZE];
    size_t len;
    bool failed;
};

/*
 * Begins with "ringback VERB", words of ours, and names the configuration's file where that is
 * another than the tool would take.
 */
void command_begin(struct command *command, const char *verb, const struct config *config);

/* Another word of ours: "--json", "--". */
void command_add(struct command *command, const char *word);

/*
 * An argument, quoted for a POSIX shell where it has to be (XCU 2.2.2). A control character, or
 * what is no ASCII, fails: nobody could see what is copied.
 */
void command_add_argument(struct command *command, const char *argument);

/* The command; NULL: it failed. The command's. */
const char *command_text(const struct command *command);

#endif
