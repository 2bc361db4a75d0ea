/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ringback.h: the one installed header of libringback.
 *
 * Asks the mail hosts of an address's domain whether they would take a message
 * for it (MAIL FROM:<>, RCPT TO:<address>, never a message), remembers what they
 * said, and tells the caller a verdict with its reason. What to do about a
 * verdict (accept, reject, tag) is the caller's business alone.
 *
 * The library never exits, never writes to stderr or syslog, and installs no
 * signal handler. SIGPIPE is never raised by it.
 *
 * Structs that may grow begin with `size`, which their _init functions set to the size that they
 * have in this header. The library reads and writes no octet beyond it, so that a program goes on
 * with a newer library that knows more fields, and with an older one that knows less: those are
 * left as the _init function set them. (With size 0 a struct is as it was in 1.0.) Of those that
 * are shown to a callback `size` says how much there is. The others never grow.
 */
#ifndef RINGBACK_H
#define RINGBACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * C++ reads no number of an enum that needs more bits than those it was compiled with, unless its
 * type is fixed: a newer library may tell more. The size is that which C gives it.
 */
#if defined(__cplusplus) && __cplusplus >= 201103L
#define RB_ENUM_ROOM : unsigned
#else
#define RB_ENUM_ROOM
#endif

/* Could we do the work? Never says anything about an address: that is the reason's part. */
enum rb_error RB_ENUM_ROOM {
    RB_OK = 0,
    RB_ERR_NOMEM,     /* out of memory */
    RB_ERR_ARGUMENT,  /* the caller's argument is out of range or malformed */
    RB_ERR_TOO_LONG,  /* does not fit; nothing was cut silently */
    RB_ERR_SYSTEM,    /* the operating system refused; errno says why */
    RB_ERR_STORE,     /* the cache's store cannot be read or written */
    RB_ERR_NOT_FOUND, /* no such record */
    RB_ERR_CLOSING,   /* the verifier is being shut down */
    RB_ERR_NOT_YET,   /* there is no answer yet */
    RB_ERR_BUSY,      /* it is still in use */
};

enum rb_verdict { RB_VERDICT_UNKNOWN = 0, RB_VERDICT_VALID, RB_VERDICT_INVALID };

/* How a verdict came about. The numbers are stored in caches: never renumber, only append. */
enum rb_reason RB_ENUM_ROOM {
    RB_REASON_NONE = 0,
    RB_REASON_ACCEPTED = 1,
    RB_REASON_MAILBOX_FULL = 2,
    RB_REASON_CORRESPONDENT = 3,
    RB_REASON_NO_SUCH_USER = 10,
    RB_REASON_DISABLED = 11,
    RB_REASON_NO_DOMAIN = 12,
    RB_REASON_NO_MAIL_HOST = 13,
    RB_REASON_NULL_MX = 14,
    RB_REASON_BOGUS_MX = 15,
    RB_REASON_BAD_ADDRESS = 16,
    RB_REASON_CATCH_ALL = 30,
    RB_REASON_GREYLISTED = 31,
    RB_REASON_TEMPFAIL = 32,
    RB_REASON_BLOCKED = 33,
    RB_REASON_NULL_SENDER_REFUSED = 34,
    RB_REASON_REJECTED = 35,
    RB_REASON_TLS_REQUIRED = 36,
    RB_REASON_UNREACHABLE = 37,
    RB_REASON_DNS_FAILURE = 38,
    RB_REASON_PROTOCOL_ERROR = 39,
    RB_REASON_TIMEOUT = 40,
    RB_REASON_LIMITED = 41,
    RB_REASON_BUSY = 42,
    RB_REASON_SPF_FAIL = 43,
    RB_REASON_EXEMPT = 44,
    RB_REASON_INTERNAL_ERROR = 45,
    RB_REASON_SPF_SOFTFAIL = 46,
    RB_REASON_NOT_VOUCHED = 47,
    RB_REASON_TOO_LARGE = 48, /* a relay takes no message of message_size octets */
    RB_REASON_MAX =
        49, /* one past the last that this header knows; a newer library may tell more */
};

/* For whom nobody is called: each position for those of the one before it, too. */
enum rb_gate RB_ENUM_ROOM {
    RB_GATE_NO = 0,   /* everybody is called */
    RB_GATE_FAIL,     /* clients that the sender's domain disowns: SPF fail */
    RB_GATE_SOFTFAIL, /* those that are probably not the domain's: SPF softfail */
    RB_GATE_VOUCHED,  /* all for whom nobody vouches */
};

/* Who says that a client sends for a domain. A newer library may tell more. */
enum rb_voucher RB_ENUM_ROOM {
    RB_VOUCHER_NOBODY = 0,
    RB_VOUCHER_SPF,    /* SPF pass */
    RB_VOUCHER_MX,     /* it is, or is next to, one of the domain's hosts, and there is no SPF */
    RB_VOUCHER_PTR,    /* its confirmed name is in the domain, or in that of its organisation */
    RB_VOUCHER_DKIM,   /* the caller's word: the message is signed by the domain */
    RB_VOUCHER_POLICY, /* the caller's word: it knows the client */
    RB_VOUCHER_MAX,
};

/* Where in a callout the deciding thing happened. Stored in caches: only append. */
enum rb_stage RB_ENUM_ROOM {
    RB_STAGE_NONE = 0,
    RB_STAGE_DNS,
    RB_STAGE_CONNECT,
    RB_STAGE_BANNER,
    RB_STAGE_EHLO,
    RB_STAGE_STARTTLS,
    RB_STAGE_MAIL,
    RB_STAGE_RCPT,
    RB_STAGE_DATA,
    RB_STAGE_RSET,
    RB_STAGE_QUIT,
    RB_STAGE_VERB, /* a verb beyond SMTP */
    RB_STAGE_MAX,
};

/*
 * What holds a question, a domain or a mail host back for now. Of an answer: why it is
 * RB_REASON_LIMITED or, of a queue that is full, RB_REASON_BUSY. A newer library may tell more.
 */
enum rb_limit RB_ENUM_ROOM {
    RB_LIMIT_NONE = 0,
    RB_LIMIT_HOST,        /* all mail hosts left failed so often: breaker_failures */
    RB_LIMIT_SHIELD,      /* the domain is forged in bulk */
    RB_LIMIT_DOMAIN_RATE, /* per_domain_rate; the others as they are called */
    RB_LIMIT_CLIENT_RATE,
    RB_LIMIT_GLOBAL_RATE,
    RB_LIMIT_HOST_SESSIONS, /* per_host_sessions, or as many as the host takes */
    RB_LIMIT_HOST_PAUSED, /* a mail host said that it is too much: it is left alone for a minute */
    RB_LIMIT_YIELDED,     /* the mail host kept us waiting, and others needed the thread */
    RB_LIMIT_QUEUE_FULL,  /* max_pending */
    RB_LIMIT_MAX,
};

/* Names as in the documentation ("no_such_user"); static strings, "?" for a number out of range. */
const char *rb_error_text(enum rb_error error);
const char *rb_verdict_name(enum rb_verdict verdict);
const char *rb_reason_name(enum rb_reason reason);
const char *rb_stage_name(enum rb_stage stage);
const char *rb_limit_name(enum rb_limit limit); /* the rule of an answer with that limit */
const char *rb_voucher_name(enum rb_voucher voucher);

/* The verdict that a reason stands for: a fixed table. */
enum rb_verdict rb_reason_verdict(enum rb_reason reason);

/* The reason or verdict of that name. RB_REASON_NONE / RB_ERR_NOT_FOUND when there is none. */
enum rb_reason rb_reason_from_name(const char *name);
enum rb_error rb_verdict_from_name(const char *name, enum rb_verdict *verdict);

/* The version of this header: 10203 for 1.2.3. */
#define RB_VERSION_MAJOR 0
#define RB_VERSION_MINOR 1
#define RB_VERSION_PATCH 0
#define RB_VERSION_NUMBER (RB_VERSION_MAJOR * 10000 + RB_VERSION_MINOR * 100 + RB_VERSION_PATCH)

/* The version of the library that the program runs with: "1.2.3", and 10203. */
const char *rb_version(void);
unsigned rb_version_number(void);

/*
 * The clock, so that tests need not sleep. Both functions are called from any thread, at any time,
 * also with locks of the library held: they must be quick and call no rb_ function. A wait lasts as
 * long as its end is away by this clock when it begins, and goes by CLOCK_MONOTONIC from then on.
 */
struct rb_clock {
    int64_t (*monotonic_ms)(void *arg); /* for deadlines; milliseconds, never goes back */
    int64_t (*wall_s)(void *arg);       /* for what is stored; seconds since 1970 */
    void *arg;
};

/* An IP network, "192.0.2.0/24" or "2001:db8::/32". IPv4 is kept as v4-mapped IPv6. */
struct rb_network {
    uint8_t addr[16];
    uint8_t bits; /* 0..128, of the 16 octets */
};

/*
 * Reads a network or a single address ("192.0.2.1", "2001:db8::/32", brackets not allowed).
 * RB_ERR_ARGUMENT when it is neither, or when host bits are set. Any thread.
 */
enum rb_error rb_network_parse(const char *text, struct rb_network *network);

/* Verdict lifetimes, in seconds. See ringback.conf(5), cache. */
struct rb_lifetimes {
    int64_t valid_ttl_s, valid_refresh_s;
    int64_t invalid_ttl_s, invalid_refresh_s;
    int64_t unknown_ttl_s;
    int64_t domain_ttl_s;
    int64_t correspondent_ttl_s; /* since a user of ours last wrote to the address */
};

/*
 * So many in a period, evenly: COUNT at once, and as many again in each further period. count 0: no
 * limit.
 */
struct rb_rate {
    unsigned count;
    unsigned period_s;
};

/*
 * Many different addresses of one domain asked about within the window, at least half of them
 * invalid: the domain is being forged in bulk. It is left alone for a while then; what is known of
 * it goes on answering.
 */
struct rb_shield_options {
    unsigned addresses; /* 0: off */
    int64_t window_s;
    int64_t hold_s; /* doubled each time that it begins again at once */
};

/*
 * Asking again where a mail host said "later" (greylisting, other 4yz), so that the answer waits
 * for the client's return.
 */
struct rb_greylist {
    bool retry; /* off unless set: it calls from a thread of its own, as long as it is on */
    int64_t
        first_s; /* after the first deferral, where the host did not say; doubled with each try, */
    int64_t max_s;     /* up to this, */
    int64_t give_up_s; /* and not longer than this after the first deferral */
};

enum rb_ip_version { RB_IP_ANY = 0, RB_IP_V4, RB_IP_V6 };

/* STARTTLS (RFC 3207): not used; or where the host offers it, and in clear where that fails. */
enum rb_tls { RB_TLS_NEVER = 0, RB_TLS_MAY };

/* What the administrator should hear of. */
enum rb_event RB_ENUM_ROOM {
    RB_EVENT_STORE_RENEWED = 1, /* the store was not in place or not usable any more: opened anew */
    RB_EVENT_STORE_LOST,        /* the same, but it cannot be opened; tried again and again */
    RB_EVENT_WRITES_LOST,       /* the disk is full, say; told again every hour while it lasts */
    RB_EVENT_WRITES_TAKEN,      /* they are not lost any more */
    RB_EVENT_DNS_SILENT,        /* no name server has answered anything for half a minute */
    RB_EVENT_DNS_ANSWERS,       /* one does again */
};

/*
 * Is told of events, in words: one line of printable ASCII. From a thread of the verifier's, or of
 * a caller of rb_verifier_set_options, rb_peek, rb_check_identity or rb_spf_check; with no lock
 * held, but no rb_ function that takes the verifier may be called from it.
 */
struct rb_observer {
    void (*event)(void *arg, enum rb_event event, const char *text); /* NULL: nobody is told */
    void *arg;
};

/*
 * How to verify. Fill with rb_options_init, then change what you like. All pointers are
 * the caller's and are copied by rb_verifier_open and rb_verifier_set_options.
 */
struct rb_options {
    size_t size;

    /* who we are */
    const char
        *helo_name; /* EHLO name; must be set: a fully qualified name or an address literal */
    const char *mail_from;          /* "" for the null sender */
    const char *fallback_mail_from; /* asked once where the null sender is refused; "" for none */

    /* where to */
    uint16_t port;
    const char *const *bind; /* source addresses, bind_count of them; none: the system's choice */
    size_t bind_count;
    const char *const
        *resolvers; /* "127.0.0.1:5353", "[::1]:53", resolver_count of them; none: resolv.conf */
    size_t resolver_count;
    enum rb_ip_version ip_version;
    const struct rb_network *allowed_networks; /* may be called although netguard says no */
    size_t allowed_count;

    /* how */
    enum rb_tls tls;
    bool catch_all_check;
    bool data_check;
    bool smtputf8;
    /*
     * For whom nobody is called (RFC 7208). A client on the loopback passes. A name server that
     * gives no answer for 20 s, or total_timeout_ms, if that is less, opens the gate.
     */
    enum rb_gate spf_gate;
    unsigned connect_timeout_ms, command_timeout_ms, total_timeout_ms;
    /*
     * Where a domain was asked about twice within it, a session is kept open for as long, for the
     * next question; 0: never.
     */
    unsigned idle_timeout_ms;

    /* how much */
    unsigned max_hosts;   /* mail hosts tried for one callout */
    unsigned max_workers; /* threads that call */
    unsigned max_held;    /* more: for callouts that a host keeps waiting for over a second */
    unsigned max_pending; /* questions that wait for a worker */
    unsigned per_domain_sessions; /* at once, for one domain */
    unsigned per_host_sessions;   /* at once, with one IP address: many domains live on one */
    struct rb_rate per_domain_rate, per_client_rate, global_rate; /* questions asked of the world */
    struct rb_shield_options shield;
    unsigned breaker_failures;
    int64_t breaker_hold_s;

    /* what is remembered */
    const char *store; /* "lmdb:/path"; NULL or "": nothing is kept */
    uint64_t store_max_bytes;
    bool store_owner_fix; /* run as root: give new files of the store to the owner of its folder */
    bool store_read_only; /* what is known is used, and what is learned is not kept */
    struct rb_lifetimes lifetimes;
    struct rb_greylist greylist; /* needs a store that is written to */
    struct rb_observer observer; /* as of rb_verifier_open */

    const struct rb_clock *clock; /* NULL: the system's; must outlive the verifier */
};

/* Sets every field to its default; helo_name stays NULL and must be set. */
static inline void rb_options_init(struct rb_options *options);

/* The same of a struct of that size; one with no room for its size is made all zero. */
void rb_options_init_size(struct rb_options *options, size_t size);

static inline void rb_options_init(struct rb_options *options)
{
    rb_options_init_size(options, sizeof *options);
}

/* Sizes of fields: these never change. */
enum {
    RB_ADDRESS_MAX = 254, /* RFC 5321 4.5.3.1.3: a path of 256 octets without its brackets */
    RB_DOMAIN_MAX = 255,
    RB_REPLY_MAX = 512,   /* what is kept of a reply */
    RB_ENHANCED_MAX = 11, /* "5.123.123" */
    RB_RULE_MAX = 47,
    RB_TRANSCRIPT_LINES_MAX = 2000,
};

/* One line of what was said. dir: '<' the host said, '>' we said, '-' a remark of ours. */
struct rb_transcript_line {
    int64_t t_ms; /* since the question was asked */
    char dir;
    const char *mx, *ip, *text; /* printable ASCII */
};

struct rb_transcript; /* RB_TRANSCRIPT_LINES_MAX lines at most: the first ones */

size_t rb_transcript_count(const struct rb_transcript *transcript);
struct rb_transcript_line rb_transcript_get(const struct rb_transcript *transcript, size_t index);

/*
 * What is known of one address. Plain data but for transcript. Text is printable ASCII, "" where
 * not known; address may have UTF-8 before its "@" where options.smtputf8 is on, and in a cache.
 */
struct rb_answer {
    size_t size;
    char address[RB_ADDRESS_MAX +
                 1]; /* canonical; "", and so is domain, where it cannot be parsed */
    enum rb_verdict verdict;
    enum rb_reason reason;
    char rule[RB_RULE_MAX + 1]; /* which rule decided: of the reply table, a limit, a fact */
    bool cached;
    int64_t age_s;     /* since the mail host said so; -1 where not known */
    int64_t expires_s; /* until it must be asked again; -1 where not kept */
    char domain[RB_DOMAIN_MAX + 1];
    char mx[RB_DOMAIN_MAX + 1];
    char ip[46];
    uint16_t port; /* 0 where nobody was called */
    char tls[16];  /* "TLSv1.3"; "" in clear */
    enum rb_stage stage;
    int code; /* 0 where there was no reply */
    char enhanced[RB_ENHANCED_MAX + 1];
    char reply[RB_REPLY_MAX + 1]; /* with its code, lines joined by a space, cut with "..." */
    bool mail_from_known;         /* whether a MAIL command was sent at all */
    char mail_from[RB_ADDRESS_MAX + 1];
    int wait_s;         /* what a 4yz reply asked us to wait; 0 where it did not say */
    int64_t elapsed_ms; /* from the question to its answer, or until the caller left */
    /* NULL unless asked for; of the first rb_wait that has it alone. Freed by rb_answer_fini */
    struct rb_transcript *transcript;
    enum rb_limit limit; /* which limit decided, where one did */
    /* Who vouched for the client, as far as that was asked for; of an answer that is not there yet,
     * as far as it is known. */
    enum rb_voucher voucher;
};

/* An empty answer. */
static inline void rb_answer_init(struct rb_answer *answer)
{
    memset(answer, 0, sizeof *answer);
    answer->size = sizeof *answer;
}

/* Frees what an answer owns and empties it, so that it can be used again. NULL is fine. */
void rb_answer_fini(struct rb_answer *answer);

struct rb_verifier; /* opaque */
struct rb_ticket;   /* opaque: a claim on the answer to one question */

/* One question. The text is the caller's and is copied by rb_ask. */
struct rb_question {
    size_t size;
    const char *address; /* "user@example.org", with or without <>; hostile input is fine */
    size_t address_len;
    const struct sockaddr
        *client;      /* who sends; NULL: not known. For the SPF gate and the rate of one client */
    const char *helo; /* as the client said it; NULL: not known */
    /*
     * NULL: the domain's mail hosts. Else who is asked in their place, one to eight in their order,
     * with commas between: "[smtp:]HOST[:PORT]", "lmtp:HOST[:PORT]" (24), "unix:/PATH" (LMTP),
     * where HOST is a name, an IPv4 address or an IPv6 address in brackets. Or "mx:" alone: those
     * mail hosts of the domain that it prefers to ourselves, for a backup MX.
     */
    const char *relay;
    /*
     * Octets of the message that the client wants to send (RFC 1870); 0: not known. It counts with
     * a relay alone, which is told so, where it knows SIZE, and may answer mailbox_full or
     * too_large. Then an answer that is known does not do, unless it is invalid, or the relay does
     * not answer; and accepted and no_such_user alone are kept.
     */
    uint64_t message_size;
    bool no_cache;   /* neither read what is known nor join; the answer is kept all the same */
    bool only_cache; /* answer at once from what is known; RB_REASON_TIMEOUT when nothing is, as
                          with no_cache */
    bool transcript; /* record the dialogue; implies no_cache */
    /*
     * NULL, or called once for each question that rb_ask returned RB_OK for, with done_arg and its
     * ticket: when the answer is there, so that rb_wait returns at once, or when there will be none
     * (RB_ERR_CLOSING). By a thread of the verifier's, or by rb_ask before it returns, which has
     * set *ticket by then. No lock is held; every rb_ function but rb_verifier_close and
     * rb_verifier_set_options may be called, also rb_ticket_free of the same ticket. It should
     * return soon: others who asked the same are called after it, and the thread calls no mail host
     * meanwhile. rb_ticket_free from elsewhere waits until a call under way has returned, so that
     * two calls must not free each other's ticket; after it there is none.
     */
    void (*done)(void *arg, struct rb_ticket *ticket);
    void *done_arg;
    /*
     * Who vouches, by what the caller knows, that the client sends for the address's domain; the
     * gate is open then. RB_VOUCHER_NOBODY: the gate finds out.
     */
    enum rb_voucher voucher;
    /*
     * The client will be asked about in a moment (rb_ask_client): the session with a mail host is
     * kept open for that (idle_timeout_ms).
     */
    bool then_client;
};

/* A question about nobody yet. */
static inline void rb_question_init(struct rb_question *question)
{
    memset(question, 0, sizeof *question);
    question->size = sizeof *question;
}

/*
 * Opens the cache. On RB_OK *verifier is the caller's, to be closed with rb_verifier_close.
 * RB_ERR_STORE: the cache cannot be opened (errno may say why). RB_ERR_ARGUMENT: an option is
 * missing, malformed or out of range. RB_ERR_SYSTEM, RB_ERR_NOMEM. Else *verifier is NULL. detail
 * (which may be NULL) says in words what is wrong, where there is more to say than the error does;
 * on RB_OK it is "", or says that the store was damaged and where it was moved aside to.
 *
 * Threads start when there is something to do: one that writes to the store, one that asks again
 * (greylist.retry), those that call (max_workers, and more while hosts keep some waiting:
 * max_held), one that watches over these. They block all signals.
 *
 * A process has a store open once: a second verifier of it gets RB_ERR_STORE (EBUSY), by whatever
 * path, until the first is closed. Any number of processes share one. A child of fork may open the
 * same store; its parent's verifier is not the child's to use or to close, for it has none of its
 * threads.
 */
enum rb_error rb_verifier_open(const struct rb_options *options, struct rb_verifier **verifier,
                               char *detail, size_t detail_size)
    __attribute__((warn_unused_result));

/*
 * New options for questions asked from now on, and for what is asked again by itself
 * (greylist.retry starts and ends that). store, store_..., max_workers and observer stay what they
 * were; another clock is RB_ERR_ARGUMENT. On failure all stay as they were. RB_ERR_ARGUMENT,
 * RB_ERR_NOMEM, RB_ERR_SYSTEM. Any thread.
 */
enum rb_error rb_verifier_set_options(struct rb_verifier *verifier,
                                      const struct rb_options *options)
    __attribute__((warn_unused_result));

/*
 * Ends: callouts under way are cut short, what waits for an answer gets unknown, the cache is
 * written and closed. On return there is no thread of the verifier any more, and the store may be
 * opened again. Waits for no name server; mail hosts have a second to hear QUIT. NULL is fine. One
 * thread, once no other uses the verifier.
 *
 * RB_ERR_BUSY: tickets are still to be freed, and nothing was stopped or closed. RB_ERR_STORE: it
 * is closed, but something that was learned since it was opened is not in the store: it could not be
 * written (dropped_writes of rb_stats), or the store was lost or renewed since (rb_observer).
 */
enum rb_error rb_verifier_close(struct rb_verifier *verifier);

/*
 * Nobody is called any more: callouts under way are cut short, whoever waits in rb_wait is told
 * RB_ERR_CLOSING or what is known by then, and what is asked from now on is answered from the cache
 * alone. Any thread; more than once is fine.
 */
void rb_verifier_stop(struct rb_verifier *verifier);

/*
 * Asks. Never blocks on the network: where the question names a client, and the gate is on, its
 * domain's SPF records are looked up by the verifier's own threads, and somebody is called when
 * those do not disown it. What is known of the address is told at once. On RB_OK *ticket is the
 * caller's, to be freed with rb_ticket_free. What is no address is no error, but has its answer.
 * RB_ERR_ARGUMENT: address is NULL, or relay is none. RB_ERR_TOO_LONG: the address and the relay
 * are, together. RB_ERR_NOMEM. Else *ticket is NULL. Any thread.
 */
enum rb_error rb_ask(struct rb_verifier *verifier, const struct rb_question *question,
                     struct rb_ticket **ticket) __attribute__((warn_unused_result));

/*
 * The moment, in milliseconds, on the clock that deadlines (until_ms) are told by:
 * rb_options.clock, or else CLOCK_MONOTONIC. Any thread.
 */
int64_t rb_now_ms(const struct rb_verifier *verifier);

/*
 * Waits for the answer, until until_ms of rb_now_ms at the latest: 0 does not wait, INT64_MAX waits
 * as long as it takes. May be called again on the same ticket, and says the same answer again. The
 * answer must be empty before (rb_answer_init, rb_answer_fini), and be finished with rb_answer_fini
 * after. Any thread, one at a time.
 *
 * RB_OK: the answer is there. RB_ERR_NOT_YET: there is none by then, or RB_ERR_CLOSING, there will
 * be none, for rb_verifier_stop was called; with both the answer is unknown/timeout, for those who
 * go by that. The callout, or what comes before it, goes on, and its answer is kept in the cache.
 * RB_ERR_ARGUMENT: the answer's size is none.
 */
enum rb_error rb_wait(struct rb_ticket *ticket, int64_t until_ms, struct rb_answer *answer);

/*
 * For those who do the same with an address that is valid and with one of a domain that accepts
 * every address: waits as rb_wait does, but no longer than until a mail host has accepted the
 * address. RB_OK, and *accepted true: one has, and whether its domain accepts all others too is
 * still being asked; rb_wait will tell valid/accepted or unknown/catch_all, or unknown/timeout
 * where it is not waited for. RB_OK and false: the answer is there for rb_wait. RB_ERR_NOT_YET,
 * RB_ERR_CLOSING as rb_wait, with false. Any thread, one at a time.
 */
enum rb_error rb_wait_accepted(struct rb_ticket *ticket, int64_t until_ms, bool *accepted);

/*
 * When the question was asked, on the clock of rb_now_ms: by whoever asked first, where others ask
 * the same and share one callout. Who adds a limit of its own to that waits for a slow mail host
 * once, and not once for each who asks. Any thread.
 */
int64_t rb_ticket_asked_ms(struct rb_ticket *ticket);

/*
 * True when rb_wait would return at once with an answer: never, where it was still asked for when
 * rb_verifier_stop was called. Any thread.
 */
bool rb_ready(struct rb_ticket *ticket);

/* Leaves. A callout under way goes on. NULL is fine. */
void rb_ticket_free(struct rb_ticket *ticket);

/*
 * rb_ask, rb_wait and rb_ticket_free in one, with what each may return. The answer is filled with
 * RB_OK, RB_ERR_NOT_YET and RB_ERR_CLOSING, and left alone else. The question's `done` is not
 * called.
 */
enum rb_error rb_verify(struct rb_verifier *verifier, const struct rb_question *question,
                        int64_t until_ms, struct rb_answer *answer)
    __attribute__((warn_unused_result));

/* What would become of a question. */
struct rb_prospect {
    size_t size;
    bool would_call; /* a mail host would be called now; what it would say is not known */
    bool is_asked;   /* an equal question is under way, and this one would wait for its answer */
    bool
        would_refresh; /* the answer is told at once, and asked for anew behind the caller's back */
    /*
     * Where the SPF gate was asked, who vouches being the answer's voucher: of RB_VOUCHER_MX the
     * domain's host that the client is, or is next to, of RB_VOUCHER_PTR the client's name, of
     * RB_VOUCHER_SPF the one or the other where a term matched by it. Else "".
     */
    char voucher_host[RB_DOMAIN_MAX + 1];
    /* Why nobody vouches; NULL: somebody does, or the gate was not asked. Static. */
    const char *why_nobody;
};

static inline void rb_prospect_init(struct rb_prospect *prospect)
{
    memset(prospect, 0, sizeof *prospect);
    prospect->size = sizeof *prospect;
}

/*
 * Tells what rb_ask and rb_wait would do with a question now, and does nothing of it: nobody is
 * called or waits, no rate is used, nothing is counted or remembered. Where the SPF gate must know,
 * and does not yet, DNS is asked, until until_ms of rb_now_ms at the latest. The answer is what the
 * caller would hear; where neither would_call nor is_asked is said, that is all. It must be empty
 * before, owns nothing, and need not be finished. Any thread. RB_ERR_ARGUMENT, RB_ERR_NOMEM,
 * RB_ERR_TOO_LONG as rb_ask.
 */
enum rb_error rb_peek(struct rb_verifier *verifier, const struct rb_question *question,
                      int64_t until_ms, struct rb_prospect *prospect, struct rb_answer *answer)
    __attribute__((warn_unused_result));

/*
 * A user of ours, whom the MTA knows, writes to this address: for a while it counts as
 * valid/correspondent, and nobody is called for it. What is no address is ignored. Never blocks.
 * Any thread.
 */
void rb_note_correspondent(struct rb_verifier *verifier, const char *address, size_t address_len);

/* Room for reasons, and for results, that are not thought of yet. */
enum { RB_STATS_REASONS = 128, RB_STATS_CLIENTS = 16 };

/* Counts since the verifier was opened, and gauges. */
struct rb_stats {
    size_t size;
    uint64_t questions;
    uint64_t cache_hit, cache_stale, cache_miss;
    uint64_t coalesced; /* questions that joined one under way */
    uint64_t settled_by_fact;
    uint64_t callouts[RB_STATS_REASONS]; /* questions asked of the world, by result */
    uint64_t sessions;                   /* connections made */
    uint64_t running, pending;  /* sessions under way, questions waiting for one or for SPF */
    uint64_t held;              /* of those under way: kept waiting for a reply for over a second */
    uint64_t resting;           /* of those under way: nothing to ask now, kept open for more */
    uint64_t retries_scheduled; /* deferred addresses that will be asked about again */
    uint64_t busy;              /* refused because the queue was full */
    uint64_t limited;           /* refused by a rate or the shield */
    uint64_t spf_fail, spf_softfail, not_vouched; /* refused by the gate */
    uint64_t client_questions;                    /* rb_ask_client */
    uint64_t client_known; /* of these, those that nobody was called for: it was known */
    uint64_t clients[RB_STATS_CLIENTS]; /* those that a host was asked, by rb_client_result */
    uint64_t dropped_writes;            /* cache writes that were lost */
    uint64_t cache_entries, cache_bytes;
};

static inline void rb_stats_init(struct rb_stats *stats)
{
    memset(stats, 0, sizeof *stats);
    stats->size = sizeof *stats;
}

/* Any thread. The stats must have been made with rb_stats_init; may be filled again. */
void rb_verifier_stats(struct rb_verifier *verifier, struct rb_stats *stats);

/* Room for finer buckets. */
enum { RB_DURATION_BUCKETS = 32 };

/*
 * How long questions that were asked of the world took, from being put to their answer: what
 * rb_stats.callouts counts, in buckets. Each number is right by itself.
 */
struct rb_durations {
    size_t size;
    uint64_t total;  /* of the counts */
    uint64_t sum_ms; /* of all that were counted */
    size_t buckets;  /* of the arrays, so many mean something */
    int64_t
        bound_ms[RB_DURATION_BUCKETS];   /* rising: the most that a bucket takes; the last is -1 */
    uint64_t count[RB_DURATION_BUCKETS]; /* not cumulative */
};

static inline void rb_durations_init(struct rb_durations *durations)
{
    memset(durations, 0, sizeof *durations);
    durations->size = sizeof *durations;
}

/* Any thread. */
void rb_callout_durations(struct rb_verifier *verifier, struct rb_durations *durations);

/* Whether the verifier finds what it needs, by what it has noticed up to now. */
struct rb_health {
    size_t size;
    bool dns_is_silent;           /* no name server has answered anything for half a minute */
    int64_t dns_silent_ms;        /* since the first look-up that none has answered; 0: one has */
    unsigned name_servers;        /* as of the last look-up, where resolv.conf names them */
    unsigned name_servers_silent; /* of these: that did not answer, and have not since */
    bool store_is_lost;   /* it cannot be opened; tried again and again. False: none is set */
    bool writes_are_lost; /* some were within the last minute: the disk is full, say */
};

static inline void rb_health_init(struct rb_health *health)
{
    memset(health, 0, sizeof *health);
    health->size = sizeof *health;
}

/*
 * Waits for nobody: neither the network nor the disk. Name servers that were silent are asked again
 * by a thread of the verifier's, every 5 s at most: who looks again a little later sees what came of
 * it, though nobody had a question. Any thread.
 */
void rb_verifier_health(struct rb_verifier *verifier, struct rb_health *health);

/* --- What is asked again --------------------------------------------------- */

/* An address whose mail host said "later" (greylist.retry). As long as the call that shows it. */
struct rb_retry {
    size_t size;
    const char *address;
    enum rb_reason reason; /* what the host said last: greylisted or tempfail */
    const char *host;      /* the IP address of that host; "": not known */
    unsigned tries;        /* how often it was asked again */
    int64_t first_s;       /* when the host said "later" for the first time; seconds since 1970 */
    int64_t due_s;         /* when it will be asked again, at the earliest */
    bool is_ours;          /* false: another process that shares the store asks */
};

/* False: enough. Called with no lock held. */
typedef bool rb_retry_fn(void *arg, const struct rb_retry *retry);

/* Shows what will be asked again, the next first. From memory. RB_ERR_NOMEM. Any thread. */
enum rb_error rb_retries_walk(struct rb_verifier *verifier, rb_retry_fn *visit, void *arg);

/* --- What is held back ---------------------------------------------------- */

/* One that is not asked, or for whom nobody is asked. As long as the call that shows it. */
struct rb_held_back {
    size_t size;
    enum rb_limit by; /* a host's failures, the shield, or a rate */
    /*
     * The host's IP address (of a relay with "#" and its port behind it, or "unix:" and its path),
     * the domain, the client's address or /64; "" for the global rate.
     */
    const char *what;
    int64_t left_ms; /* until it may be asked */
    int64_t until_s; /* the same moment, in seconds since 1970; 0 of rates */

    /* of hosts alone */
    unsigned failures; /* in a row */
    unsigned trips;    /* how often it was held back since it last answered */
    enum rb_reason reason;
    int64_t failed_s; /* when it last did; seconds since 1970 */
};

/* False: enough. Called with no lock held. */
typedef bool rb_held_back_fn(void *arg, const struct rb_held_back *held);

/*
 * Shows what is held back now: hosts, by key; domains; rates that are used up, the latest first
 * (of a great many, some). RB_ERR_NOMEM, RB_ERR_STORE. Any thread.
 */
enum rb_error rb_held_back_walk(struct rb_verifier *verifier, rb_held_back_fn *visit, void *arg);

/* --- The cache ------------------------------------------------------------ */

/*
 * The canonical form of an address, by which answers are told: the domain in lower case and
 * A-labels, quotes where they are needed alone, no source route. RB_ERR_ARGUMENT: it is none, and
 * key is "".
 * RB_ERR_TOO_LONG, RB_ERR_NOMEM. Any thread.
 */
enum rb_error rb_address_key(const char *address, size_t address_len, char key[RB_ADDRESS_MAX + 1]);

/*
 * One kept answer; relay: "" for what the world says (NULL in rb_question), else where it was
 * asked, as rb_question has it (a long list by a name of its own). expires_s is -1 for one that
 * answers nothing any more. Owns nothing, and lives as long as the call. False: enough. No lock is
 * held.
 */
typedef bool rb_cache_fn(void *arg, const struct rb_answer *answer, const char *relay);

/*
 * Shows the kept answers about addresses, by key; domain: of that domain alone, NULL: all. What was
 * learned a moment ago may be missing (rb_verifier_flush). RB_ERR_ARGUMENT: it is no domain;
 * RB_ERR_STORE. Without a store there are none. Any thread.
 */
enum rb_error rb_cache_walk(struct rb_verifier *verifier, const char *domain, rb_cache_fn *visit,
                            void *arg);

/*
 * The same for one address alone: what the world says, that a user of ours writes to it, what each
 * relay says. As fast where the cache holds millions of others. What was learned a moment ago may be
 * missing. RB_ERR_ARGUMENT: it is no address; RB_ERR_STORE, RB_ERR_NOMEM, RB_ERR_TOO_LONG. Any
 * thread.
 */
enum rb_error rb_cache_find(struct rb_verifier *verifier, const char *address, size_t address_len,
                            rb_cache_fn *visit, void *arg);

/* One thing that is known of a domain. */
struct rb_domain_fact {
    bool is_known;
    bool holds;        /* false: it was found that it does not */
    int64_t age_s;     /* since it was found; -1 where it is not known */
    int64_t expires_s; /* until it answers nothing any more; -1: it does not, or is not known */
};

/* What is known of a domain by what its mail hosts, and DNS, have said. */
struct rb_domain_facts {
    size_t size;
    struct rb_domain_fact catch_all;           /* it accepts a local part that nobody has */
    struct rb_domain_fact null_sender_refused; /* it is asked as the fallback sender */
    struct rb_domain_fact dead;                /* nothing can be delivered there, */
    enum rb_reason dead_reason;                /* for this reason */
};

static inline void rb_domain_facts_init(struct rb_domain_facts *facts)
{
    memset(facts, 0, sizeof *facts);
    facts->size = sizeof *facts;
}

/* RB_ERR_ARGUMENT: it is no domain. Without a store nothing is known. Any thread. */
enum rb_error rb_cache_facts(struct rb_verifier *verifier, const char *domain,
                             struct rb_domain_facts *facts);

/*
 * Forgets all that answers for one address: what the world says, what each relay says, that a user
 * of ours writes to it, what was learned of other one-time addresses of its kind; and that it is to
 * be asked again. What is known of its whole domain stays. *removed (or NULL): how many records.
 * RB_ERR_NOT_FOUND: there was none. RB_ERR_ARGUMENT: it is no address; RB_ERR_STORE, RB_ERR_NOMEM,
 * RB_ERR_TOO_LONG. Any thread.
 */
enum rb_error rb_cache_delete(struct rb_verifier *verifier, const char *address, size_t address_len,
                              uint64_t *removed);

/* The same for a domain and all its addresses. Takes as long as the cache is large. */
enum rb_error rb_cache_delete_domain(struct rb_verifier *verifier, const char *domain,
                                     uint64_t *removed);

/* Forgets everything, or what answers nothing any more. RB_ERR_STORE. Any thread. */
enum rb_error rb_cache_purge(struct rb_verifier *verifier, bool expired_only, uint64_t *removed);

/* How many records there are, and how large the store is. */
struct rb_cache_counts {
    size_t size;
    uint64_t addresses, domains, hosts, onetimes, retries, verbs;
    uint64_t bytes, max_bytes;
};

static inline void rb_cache_counts_init(struct rb_cache_counts *counts)
{
    memset(counts, 0, sizeof *counts);
    counts->size = sizeof *counts;
}

/* RB_ERR_STORE. Any thread. */
enum rb_error rb_cache_count(struct rb_verifier *verifier, struct rb_cache_counts *counts);

/*
 * Waits until all that was learned so far is written. RB_ERR_STORE: not all that was learned since
 * the verifier was opened could be. Any thread.
 */
enum rb_error rb_verifier_flush(struct rb_verifier *verifier);

/* --- Who is who ----------------------------------------------------------- */

/*
 * Whether we are who we say we are, as the mail hosts that we call see it: helo_name resolves to an
 * address we call from, and each of these has a name that resolves to it (RFC 5321 4.1.4, RFC 1912
 * 2.1). warn is called for each thing that is wrong, with a sentence of printable ASCII that says
 * what would be right, from this thread. Asks DNS, until until_ms of rb_now_ms; what could not be
 * looked up is said to be just that. Any thread.
 */
void rb_check_identity(struct rb_verifier *verifier, int64_t until_ms,
                       void (*warn)(void *arg, const char *text), void *arg);

/*
 * The addresses of a host, by its A and AAAA records; that of a text which is an IP address is
 * itself. Port 0. Writes at most `size` of them, and returns how many; 0: there are none, or they
 * could not be looked up. Asks DNS, until until_ms of rb_now_ms. Any thread.
 */
size_t rb_host_addresses(struct rb_verifier *verifier, const char *host, int64_t until_ms,
                         struct sockaddr_storage *addresses, size_t size);

/* --- Connect back ----------------------------------------------------------- */

/* How far a client is confirmed by the host that it claims to be. A newer library may tell more. */
enum rb_client_result RB_ENUM_ROOM {
    RB_CLIENT_UNKNOWN = 0, /* not found out: a limit, no time, nobody who could be asked */
    RB_CLIENT_UNREACHABLE, /* there is no such host, or no connection to it */
    RB_CLIENT_UNSUPPORTED, /* it is known of late not to know the question: nobody was called */
    RB_CLIENT_REACHABLE,   /* a mail host answers there, and cannot say whether it is the client */
    RB_CLIENT_MAYBE,       /* it has some connection to us */
    RB_CLIENT_DENIED,      /* it says that it is not talking to us */
    RB_CLIENT_CONFIRMED,   /* it says that it is talking to us over this very connection */
    RB_CLIENT_MAX,
};

/* "confirmed"...; "?" for a number out of range. Static. */
const char *rb_client_result_name(enum rb_client_result result);

/* Which hosts are asked, in their order. */
enum rb_client_target RB_ENUM_ROOM {
    RB_TARGET_NONE = 0,
    RB_TARGET_HELO, /* the addresses of the HELO name */
    RB_TARGET_MX,   /* the mail hosts of the sender's domain */
};

/* Is the client the host that it claims to be? The text is the caller's, and is copied. */
struct rb_client_question {
    size_t size;
    const struct sockaddr *client;  /* who has connected, with its port; port 0: not known */
    const struct sockaddr *reached; /* the address and port of ours that it reached, as it sees
                                       them; NULL: not known */
    const char *helo;               /* as it said it: a name, or an address literal; NULL: none */
    const char *sender;             /* MAIL FROM, with or without <>; its domain counts */
    size_t sender_len;              /* 0: the null sender */
    enum rb_client_target targets[2];
    /*
     * NULL, or who is asked in place of the targets, whoever the client claims to be: "HOST[:PORT]",
     * where HOST is a name, an IPv4 address or an IPv6 address in brackets. Without a client it is
     * asked only whether it knows the question.
     */
    const char *host;
    bool is_peer;  /* an admin has named `host`: private addresses may be called, no rate is used */
    bool no_cache; /* call, whatever is known of the host */
    bool transcript;                                   /* record the dialogue; implies no_cache */
    void (*done)(void *arg, struct rb_ticket *ticket); /* as that of rb_question */
    void *done_arg;
};

static inline void rb_client_question_init(struct rb_client_question *question)
{
    memset(question, 0, sizeof *question);
    question->size = sizeof *question;
}

/* Plain data but for transcript, as in struct rb_answer. Text is printable ASCII. */
struct rb_client_answer {
    size_t size;
    enum rb_client_result result;
    char host[RB_DOMAIN_MAX + 1]; /* that was asked, or would be: its name, or the domain's */
    char ip[46];                  /* "": nobody was called */
    uint16_t port;
    char tls[16];
    int code;
    char reply[RB_REPLY_MAX + 1];
    char rule[RB_RULE_MAX + 1]; /* why it is no more than that: of a limit, a known fact... */
    bool cached;                /* by what is known: nobody was called */
    int64_t elapsed_ms;
    struct rb_transcript *transcript; /* NULL unless asked for */
};

static inline void rb_client_answer_init(struct rb_client_answer *answer)
{
    memset(answer, 0, sizeof *answer);
    answer->size = sizeof *answer;
}

/* Frees what an answer owns and empties it. NULL is fine. */
void rb_client_answer_fini(struct rb_client_answer *answer);

/*
 * Asks whether the client is who it claims to be (AYTTM), under the limits, the breaker, the shield
 * and the gate of callouts: the first target, and where that cannot be found or reached, the
 * second. Never blocks on the network. On RB_OK *ticket is the caller's, for rb_wait_client,
 * rb_ready, rb_ticket_asked_ms and rb_ticket_free. RB_ERR_ARGUMENT: no client and no host, or no
 * target, or the host is none. RB_ERR_NOMEM. Any thread.
 */
enum rb_error rb_ask_client(struct rb_verifier *verifier, const struct rb_client_question *question,
                            struct rb_ticket **ticket) __attribute__((warn_unused_result));

/*
 * Waits for the answer, as rb_wait does, and with what that returns. RB_ERR_ARGUMENT also: the
 * ticket is not of rb_ask_client (of one that is, rb_wait and rb_wait_accepted return the same).
 */
enum rb_error rb_wait_client(struct rb_ticket *ticket, int64_t until_ms,
                             struct rb_client_answer *answer);

enum { RB_VERB_MAX = 63 };

/* What would become of a question about a client. */
struct rb_client_prospect {
    size_t size;
    bool would_call; /* the answer's host would be asked now; what it would say is not known */
    bool is_asked;   /* an equal question is under way, and this one would wait for its answer */
    bool shares;     /* would_call: in a session that is open now, so that it costs no connection */
    char line[RB_VERB_MAX + 1]; /* the command that the host would be sent; "": there is no host */
};

static inline void rb_client_prospect_init(struct rb_client_prospect *prospect)
{
    memset(prospect, 0, sizeof *prospect);
    prospect->size = sizeof *prospect;
}

/*
 * Tells what rb_ask_client and rb_wait_client would do now, and does nothing of it, as rb_peek does
 * for rb_ask: DNS alone may be asked, for the gate, until until_ms of rb_now_ms at the latest. The
 * answer is what the caller would hear; where would_call or is_asked is said, its host alone
 * counts. It must be empty before, owns nothing, and need not be finished. Any thread.
 * RB_ERR_ARGUMENT, RB_ERR_NOMEM as rb_ask_client.
 */
enum rb_error rb_peek_client(struct rb_verifier *verifier,
                             const struct rb_client_question *question, int64_t until_ms,
                             struct rb_client_prospect *prospect, struct rb_client_answer *answer)
    __attribute__((warn_unused_result));

/* Whether a text is a relay as rb_question has it. Any thread. */
bool rb_relay_is_good(const char *relay);

/* What a domain says of a client: RFC 7208 2.6. */
enum rb_spf_result RB_ENUM_ROOM {
    RB_SPF_NONE,
    RB_SPF_PASS,
    RB_SPF_NEUTRAL,
    RB_SPF_SOFTFAIL,
    RB_SPF_FAIL,
    RB_SPF_TEMPERROR,
    RB_SPF_PERMERROR,
};

enum { RB_SPF_TERM_MAX = 127 };

struct rb_spf_question {
    size_t size;
    const struct sockaddr *client;
    const char *helo; /* as the client said it; NULL: not known */
    const char *sender;
    size_t sender_len; /* 0: the null sender, which stands for helo */
};

struct rb_spf_answer {
    size_t size;
    enum rb_spf_result result;
    char sender_domain[RB_DOMAIN_MAX + 1]; /* which was asked */
    char domain[RB_DOMAIN_MAX + 1];        /* whose record decided, or is at fault; "": none did */
    char term[RB_SPF_TERM_MAX + 1];        /* by which of its terms; "": by none */
    const char *fault; /* of temperror and permerror: what is wrong. Static; else NULL */
    /* Who vouches that the client sends for the domain, as RB_GATE_VOUCHED asks: */
    enum rb_voucher voucher;
    char voucher_host[RB_DOMAIN_MAX + 1]; /* as that of struct rb_prospect */
    const char *why_nobody;               /* static; NULL: somebody does */
    /* What such a client's questions hear where the gate stands (rb_options.spf_gate):
     * RB_REASON_SPF_FAIL, _SPF_SOFTFAIL or _NOT_VOUCHED; RB_REASON_NONE: it is open for them. */
    enum rb_reason held_back;
};

static inline void rb_spf_question_init(struct rb_spf_question *question)
{
    memset(question, 0, sizeof *question);
    question->size = sizeof *question;
}

static inline void rb_spf_answer_init(struct rb_spf_answer *answer)
{
    memset(answer, 0, sizeof *answer);
    answer->size = sizeof *answer;
}

/*
 * Whether the client may send for the sender's domain, by the domain's own word (RFC 7208,
 * check_host), and who vouches for it. Asks DNS, until until_ms of rb_now_ms, after which it is
 * temperror, or nobody where SPF was done by then. What is no address has its domain behind the
 * last "@". RB_ERR_ARGUMENT: there is no client, no sender, or the null sender and no helo.
 * RB_ERR_NOMEM. Any thread.
 */
enum rb_error rb_spf_check(struct rb_verifier *verifier, const struct rb_spf_question *question,
                           int64_t until_ms, struct rb_spf_answer *answer);

/* "none", "pass"... as RFC 7208 has them; "?" for a number out of range. Static. */
const char *rb_spf_name(enum rb_spf_result result);

#ifdef __cplusplus
}
#endif

#endif
