/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scenario: what each mail host of the lab does, as read from the scenario file (README has its
 * grammar), and which of its rules fits. No socket and no clock here.
 *
 * Everything a scenario points to lives in it and goes with it. It is counted: a session keeps the
 * one it began with when another is read.
 */
#ifndef SMTPD_SCENARIO_H
#define SMTPD_SCENARIO_H

#include "base/hash.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#define SCENARIO_KEYWORDS_MAX 24
#define SCENARIO_PLACES_MAX 65536
#define SCENARIO_ERROR_SIZE 320
#define SCENARIO_UNIX "unix:" /* in front of a path */
/* Room for an IP address, or a path with what stands in front of it. */
#define ADDRESS_TEXT_SIZE (sizeof SCENARIO_UNIX - 1 + sizeof((struct sockaddr_un *)0)->sun_path)

enum stage {
    STAGE_BANNER,
    STAGE_EHLO,
    STAGE_HELO,
    STAGE_STARTTLS,
    STAGE_MAIL,
    STAGE_RCPT,
    STAGE_RSET,
    STAGE_DATA,
    STAGE_MESSAGE, /* the end of a message's content */
    STAGE_QUIT,
    STAGE_NOOP,
    STAGE_VRFY,
    STAGE_OTHER, /* any other command */
    STAGE_COUNT
};

enum action_kind {
    ACTION_REPLY,
    ACTION_RAW,     /* text, as it is */
    ACTION_ENDLESS, /* the reply's line, continued for ever */
    ACTION_GARBAGE, /* size octets of noise */
    ACTION_HUGE,    /* one reply line of size octets */
    ACTION_SILENT,
    ACTION_CLOSE,
    ACTION_RESET
};

enum after { AFTER_NOTHING, AFTER_CLOSE, AFTER_RESET, AFTER_SILENT };

struct action {
    enum action_kind kind;
    unsigned code;    /* of a reply */
    const char *text; /* behind the code; lines separated by | */
    size_t text_len;  /* the text may hold NUL */
    size_t size;
    int delay_ms;
    int drip_ms; /* between pieces; 0: in one; -1: as the host does */
    size_t piece;
    enum after after;
    unsigned times; /* how often it may be used at one address; 0: no limit */
    size_t id;      /* of its use count */
};

struct rule {
    enum stage stage;
    bool at;             /* `at STAGE`: looked at before anything else about that command */
    unsigned nth;        /* only the nth command of this kind in a session; 0: each */
    const char *pattern; /* NULL: any */
    const char *from;    /* sender's pattern; NULL: any */
    struct action action;
    struct rule *next;
};

enum starttls {
    STARTTLS_OFF,
    STARTTLS_ON,
    STARTTLS_REFUSE,
    STARTTLS_GARBAGE,
    STARTTLS_DROP,
    STARTTLS_HANG,
    STARTTLS_INJECT
};

/* A limit and what happens beyond it; max 0: none. */
struct limit {
    unsigned max;
    struct action action;
};

struct host_conf {
    const char *name;
    unsigned port; /* 0: the program's */
    bool refuse;   /* nothing listens */
    bool lmtp;     /* RFC 2033: greeted with LHLO */
    int step_ms;
    int banner_delay_ms;
    int drip_ms;
    size_t drip_piece;
    int tarpit_ms;
    const char *early; /* NULL: none */
    size_t early_len;
    const char *keywords[SCENARIO_KEYWORDS_MAX];
    size_t keyword_count;
    enum starttls starttls;
    struct action starttls_reply; /* the refusal, or what is injected */
    int tls_max;                  /* OpenSSL's version number; 0: any */
    bool tls_required;
    struct action tls_required_reply;
    int greylist_ms; /* -1: none */
    struct action greylist_reply;
    const char *greylist_to;
    const char *greylist_from;
    struct limit rcpts;
    struct limit errors;
    struct limit connections;
    enum after on_error;
    struct rule *rules; /* in the file's order */
    struct rule **rules_tail;
    const struct host_conf *fallback; /* its rules stand behind ours; NULL: none */
};

/* One address and port, or one path. */
struct place {
    char key[ADDRESS_TEXT_SIZE + 16]; /* "ADDRESS port PORT" or "unix:PATH"; for people too */
    char ip[ADDRESS_TEXT_SIZE];       /* "unix:PATH" for a path */
    unsigned port;                    /* 0 for a path */
    struct sockaddr_storage sa;
    socklen_t sa_len;
    bool from_range;
    const struct host_conf *conf;
    unsigned *uses; /* of each action that has `times`, by id; NULL until one is counted */
    UT_hash_handle hh;
};

struct scenario {
    struct place *places;
    size_t place_count;
    size_t action_ids;
    unsigned refs;
    struct scenario_block *memory;
};

/*
 * Reads a scenario file. NULL: refused, and error says `file:line: why`. The caller holds a
 * reference.
 */
struct scenario *scenario_read(const char *path, unsigned default_port, char *error,
                               size_t error_size);

struct scenario *scenario_get(struct scenario *scn);
void scenario_put(struct scenario *scn);

/* Memory that goes with the scenario, zeroed; NULL: there is none left. */
void *scenario_alloc(struct scenario *scn, size_t size);

const char *stage_name(enum stage stage);

/* STAGE or STAGE#N (nth 0: no number); false: not one. */
bool stage_parse(const char *word, enum stage *stage, unsigned *nth);

/* `*` stands for any octets, all else for itself, without regard to ASCII case; `<>` is the null
 * sender. */
bool scenario_match(const char *pattern, const char *subject);

bool scenario_offers(const struct host_conf *conf, const char *keyword);

/*
 * The action of the first rule that fits, its own rules first and then those of `host *`; NULL:
 * none. A rule whose `times` are used up does not fit; finding one counts as use.
 */
const struct action *scenario_find(struct scenario *scn, struct place *place, enum stage stage,
                                   bool at, unsigned nth, const char *subject, const char *sender);

/* Makes every `times` begin anew. */
void scenario_forget_uses(struct scenario *scn);

#endif
