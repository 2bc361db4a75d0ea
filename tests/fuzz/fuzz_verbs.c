/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Verbs: whatever is taken for a question can be said again and is the same then, and a word is
 * taken only from where it stands behind its verb. Input: a command line, and behind the first NUL
 * the text of a reply to it.
 */
#include "config.h"

#include "fuzz.h"

#include <string.h>
#include <strings.h>

#include "extension/verbs.h"

const char fuzz_name[] = "verbs";

static void check_question(struct span args)
{
    struct verbs_ayttm question, again;
    char line[VERBS_AYTTM_MAX + 1];
    size_t len;

    if (!verbs_ayttm_read(args, &question))
        return;
    HOLDS(question.dport != 0 || (question.sport == 0 && !question.has_addr));
    len = verbs_ayttm_write(&question, line);
    HOLDS(len <= VERBS_AYTTM_MAX && strlen(line) == len && strcspn(line, ": \t\r\n") == len);
    HOLDS(verbs_command_read(span_of(line), &args) == VERBS_AYTTM);
    HOLDS(verbs_ayttm_read(args, &again));
    HOLDS(again.sport == question.sport && again.dport == question.dport);
    HOLDS(again.has_addr == question.has_addr && ip_is_same(&again.addr, &question.addr));
}

static void check_command(struct span line)
{
    struct span args;
    enum verbs_verb verb = verbs_command_read(line, &args);

    HOLDS(args.at >= line.at && args.at + args.len <= line.at + line.len);
    HOLDS(args.len == 0 || *args.at == '-' || *args.at == ' ' || *args.at == '\t');
    HOLDS(verb == VERBS_OTHER || memchr(line.at, '\0', (size_t)(args.at - line.at)) == NULL);
    check_question(args);
}

static void check_reply(const char *text)
{
    static const char *const commands[] = {"AYTTM", "AYTTM-1-25", "HOSTKEY", ""};

    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        enum verbs_word word = verbs_reply_word(commands[i], 450, text);

        HOLDS(word == VERBS_NONE || strcasestr(text, verbs_word_name(word)) != NULL);
        HOLDS(word == VERBS_NONE || strcasestr(text, i < 2 ? "AYTTM" : commands[i]) != NULL);
        HOLDS(word == VERBS_NONE || *commands[i] != '\0');
        HOLDS(verbs_reply_word(commands[i], 500, text) == VERBS_NONE);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *octets = (const char *)data;
    size_t line_len = strnlen(octets, size);
    char *text = malloc(size + 1);

    HOLDS(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    check_command((struct span){octets, size});
    check_command((struct span){octets, line_len});
    check_reply(text);
    if (line_len < size) {
        check_reply(text + line_len + 1);
        (void)verbs_reply_word(text, 450, text + line_len + 1);
    }
    free(text);
    return 0;
}
