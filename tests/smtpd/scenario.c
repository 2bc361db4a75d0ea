/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scenario: memory of a scenario and the search for the rule that fits; reading is scenario_read.c.
 */
#include "config.h"

#include "scenario.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct scenario_block {
    struct scenario_block *next;
    max_align_t data[];
};

void *scenario_alloc(struct scenario *scn, size_t size)
{
    if (size > SIZE_MAX - sizeof(struct scenario_block))
        return NULL;
    struct scenario_block *block = calloc(1, sizeof *block + size);
    if (block == NULL)
        return NULL;
    block->next = scn->memory;
    scn->memory = block;
    return block->data;
}

struct scenario *scenario_get(struct scenario *scn)
{
    scn->refs++;
    return scn;
}

void scenario_put(struct scenario *scn)
{
    if (scn == NULL || --scn->refs > 0)
        return;
    HASH_CLEAR(hh, scn->places);
    while (scn->memory != NULL) {
        struct scenario_block *block = scn->memory;
        scn->memory = block->next;
        free(block);
    }
    free(scn);
}

const char *stage_name(enum stage stage)
{
    static const char *const names[STAGE_COUNT] = {
        [STAGE_BANNER] = "banner",     [STAGE_EHLO] = "ehlo", [STAGE_HELO] = "helo",
        [STAGE_STARTTLS] = "starttls", [STAGE_MAIL] = "mail", [STAGE_RCPT] = "rcpt",
        [STAGE_RSET] = "rset",         [STAGE_DATA] = "data", [STAGE_MESSAGE] = "message",
        [STAGE_QUIT] = "quit",         [STAGE_NOOP] = "noop", [STAGE_VRFY] = "vrfy",
        [STAGE_OTHER] = "other",
    };
    return names[stage];
}

static int fold(char c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

bool scenario_match(const char *pattern, const char *subject)
{
    if (strcmp(pattern, "<>") == 0)
        return subject[0] == '\0';
    /* Where the last star stands, and how much it has been given so far: no recursion is needed. */
    const char *star = NULL;
    const char *given = subject;
    while (*subject != '\0') {
        if (*pattern == '*') {
            star = pattern++;
            given = subject;
        } else if (fold(*pattern) == fold(*subject)) {
            pattern++;
            subject++;
        } else if (star != NULL) {
            pattern = star + 1;
            subject = ++given;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

bool scenario_offers(const struct host_conf *conf, const char *keyword)
{
    size_t len = strlen(keyword);
    for (size_t i = 0; i < conf->keyword_count; i++) {
        const char *offered = conf->keywords[i];
        if (strncasecmp(offered, keyword, len) == 0 &&
            (offered[len] == '\0' || offered[len] == ' '))
            return true;
    }
    return false;
}

static bool may_use(struct scenario *scn, struct place *place, const struct action *action)
{
    if (action->times == 0)
        return true;
    if (place->uses == NULL)
        place->uses = scenario_alloc(scn, scn->action_ids * sizeof *place->uses);
    if (place->uses == NULL || place->uses[action->id] >= action->times)
        return false;
    place->uses[action->id]++;
    return true;
}

const struct action *scenario_find(struct scenario *scn, struct place *place, enum stage stage,
                                   bool at, unsigned nth, const char *subject, const char *sender)
{
    for (const struct host_conf *conf = place->conf; conf != NULL; conf = conf->fallback) {
        for (const struct rule *rule = conf->rules; rule != NULL; rule = rule->next) {
            if (rule->stage != stage || rule->at != at || (rule->nth != 0 && rule->nth != nth))
                continue;
            if (rule->pattern != NULL && !scenario_match(rule->pattern, subject))
                continue;
            if (rule->from != NULL && !scenario_match(rule->from, sender))
                continue;
            if (may_use(scn, place, &rule->action))
                return &rule->action;
        }
    }
    return NULL;
}

void scenario_forget_uses(struct scenario *scn)
{
    for (struct place *place = scn->places; place != NULL; place = place->hh.next)
        if (place->uses != NULL)
            memset(place->uses, 0, scn->action_ids * sizeof *place->uses);
}
