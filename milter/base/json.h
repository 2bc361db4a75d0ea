/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * json: answers and cache records as JSON, for `ringback`, the control socket and exports. The keys
 * are fixed: scripts depend on them. Every string is valid UTF-8, whatever a stranger said.
 */
#ifndef RB_MILTER_BASE_JSON_H
#define RB_MILTER_BASE_JSON_H

#include <jansson.h>

#include "cache/cache.h"
#include "ringback.h"

/*
 * One verification, all keys present, null where not known. input: what was asked for, used where
 * there is no canonical address. with_transcript: the "transcript" key too. The caller's
 * (json_decref); NULL: out of memory.
 */
json_t *json_answer(const struct rb_answer *answer, const char *input, bool with_transcript);

/* The lines of a dialogue, an object each; none for NULL. */
json_t *json_transcript(const struct rb_transcript *transcript);

/* What json_answer wrote, read again, but for its transcript. False: not such an object. Input is
 * hostile. */
bool json_read_answer(json_t *object, struct rb_answer *answer);

/*
 * Octets of any kind as a JSON string and back: octet N is character U+00N. The text is
 * the caller's (free); NULL: no such string, or no memory.
 */
json_t *json_octets(const char *octets);
char *json_read_octets(json_t *string);

/*
 * One cache record, "type" being "address", "domain", "host", "fold", "retry" or "verb". lifetimes and
 * now_s give its age and how long it is still kept.
 */
json_t *json_entry(const struct cache_entry *entry, const struct rb_lifetimes *lifetimes,
                   int64_t now_s);

/* A host that is held back, as json_entry tells its record. */
json_t *json_held_host(const struct rb_held_back *held, int64_t now_s);

/* What json_entry wrote, read again. Exactly the member for the table is filled. */
struct json_record {
    enum cache_table table;
    char key[CACHE_KEY_MAX + 1];
    struct address_record address;
    struct domain_record domain;
    struct host_record host;
    struct onetime_record onetime;
    struct retry_record retry;
    struct verb_record verb;
};

/* False: not such an object; why says what is wrong (static). Input is hostile. */
bool json_read_entry(json_t *object, struct json_record *record, const char **why);

/* The text of an object's member; "" where it has none of that name. As long as the object. */
const char *json_member_text(json_t *object, const char *name);

/* What kinds of one-time senders are called, by enum onetime_kind; "" for ONETIME_NONE. */
extern const char *const json_onetime_names[];

/* What the verbs of a record are called. */
extern const char *const json_verb_names[VERB_RECORD_VERBS];

/* A JSON string of text, with octets that are no UTF-8 replaced; JSON null for "". */
json_t *json_text(const char *text);

#endif
