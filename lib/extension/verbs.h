/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * verbs: SMTP verbs of our own, said to MTAs that know nothing of them and hand them to a milter of
 * ours. Pure. Any thread. Input is hostile: of any length, with any octets.
 *
 *     command = verb *(sep arg)
 *     sep     = "-" / 1*blank       ; we write "-": some MTAs hand over no more than the verb
 *     reply   = [enhanced SP] verb SP word *(SP text)
 *
 *     AYTTM   = "AYTTM" ["-" sport "-" dport ["-" addr]]    ; are you talking to me?
 *     sport   = 1*5DIGIT            ; the client's port as we see it; 0: not known
 *     dport   = 1*5DIGIT            ; the port that it reached us at
 *     addr    = 8HEXDIG / 32HEXDIG  ; the address that it reached us at; Postfix takes a line with
 *                                     ":" for a header field
 *     word    = "yes" / "maybe" / "no" / "unknown"
 *
 * Upper and lower case are the same. To an unknown verb a milter can have an MTA say 4yz and no
 * other code; an MTA that knows the verb itself may say 2yz. What the word is stands in the text.
 */
#ifndef RB_EXTENSION_VERBS_H
#define RB_EXTENSION_VERBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/ip.h"
#include "base/span.h"

enum {
    VERBS_AYTTM_MAX = 50, /* octets of "AYTTM-65535-65535-" and 32 hex digits */
    VERBS_REPLY_MAX = 20, /* of "HOSTKEY unknown", and some to spare */
};

/* What every answer of ours to a verb begins with. */
#define VERBS_REPLY_CODE "450"
#define VERBS_REPLY_ENHANCED "4.5.0"

enum verbs_verb { VERBS_OTHER = 0, VERBS_AYTTM, VERBS_SOURCE, VERBS_HOSTKEY };

/* What a reply says. VERBS_NONE: nothing of these, so whoever said it does not know the verb. */
enum verbs_word { VERBS_NONE = 0, VERBS_YES, VERBS_MAYBE, VERBS_NO, VERBS_UNKNOWN };

/* "AYTTM"...; "" for VERBS_OTHER. "yes"...; "" for VERBS_NONE. Static. */
const char *verbs_verb_name(enum verbs_verb verb);
const char *verbs_word_name(enum verbs_word word);

/* --- Commands ---------------------------------------------------------------- */

/* Which of its connections a host is asked about. */
struct verbs_ayttm {
    uint16_t sport; /* 0: not known */
    uint16_t dport; /* 0: the verb stands alone */
    bool has_addr;  /* never without a dport */
    struct ip addr;
};

/*
 * The question about a client: `client` is its address and port as we see them, `reached` ours as
 * it sees them. Without one of the ports (NULL, port 0) the verb stands alone; an address of ours
 * that is not known ("::", "0.0.0.0") is left out.
 */
struct verbs_ayttm verbs_ayttm_about(const struct sockaddr *client, const struct sockaddr *reached);

/* The command line, without CR and LF. Returns its length. */
size_t verbs_ayttm_write(const struct verbs_ayttm *question, char line[VERBS_AYTTM_MAX + 1]);

/*
 * Reads the verb of a command line, as an MTA hands it to a milter: all of the line, or what stands
 * before its first blank. *args is what follows the verb, separator and all, within `line`.
 */
enum verbs_verb verbs_command_read(struct span line, struct span *args);

/* Reads the arguments of AYTTM, of which there may be none. False: they are something else, and
 * *question is undefined. */
bool verbs_ayttm_read(struct span args, struct verbs_ayttm *question);

/* --- Replies ------------------------------------------------------------------ */

/*
 * Reads what a reply says to `command` (a command line, or the verb alone): `text` has the lines of
 * the reply joined by '\n', without codes, with or without enhanced codes. The first line that
 * begins with the verb counts: a footer may follow it, or follow the word in it
 * (smtpd_reject_footer of Postfix). No word but in 2yz and 4yz: 5yz is an MTA's that does not know
 * the verb ("500 AYTTM no such command"), 421 one's that leaves.
 */
enum verbs_word verbs_reply_word(const char *command, int code, const char *text);

/* The text of an answer, for behind VERBS_REPLY_CODE and VERBS_REPLY_ENHANCED: "AYTTM yes". */
void verbs_reply_write(enum verbs_verb verb, enum verbs_word word, char text[VERBS_REPLY_MAX + 1]);

#endif
