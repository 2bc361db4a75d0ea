/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * classify: what a mail host's reply means; see classify.h. One table, read from the top: the first
 * row that fits decides. RFC 5321 4.2 (codes), RFC 3463 (enhanced codes), and what mail hosts
 * really say, which is neither.
 *
 * Order matters, and is this: what is no answer at all; what is said about encryption; about our
 * sender; about us; then about the mailbox; what is said vaguely comes last, and what no row knows
 * is `rejected` or `tempfail`. A row about the mailbox must never take a reply about us, for that
 * makes innocent senders bounce; the other error costs only an unknown.
 */
#include "config.h"

#include "classify.h"

#include "classify_text.h"

#include <string.h>

enum {
    AT_BANNER = 1 << RB_STAGE_BANNER,
    AT_EHLO = 1 << RB_STAGE_EHLO,
    AT_STARTTLS = 1 << RB_STAGE_STARTTLS,
    AT_MAIL = 1 << RB_STAGE_MAIL,
    AT_RCPT = 1 << RB_STAGE_RCPT,
    AT_DATA = 1 << RB_STAGE_DATA,
    AT_ADDRESS = AT_RCPT | AT_DATA, /* where the recipient is judged */
    AT_GREETING = AT_BANNER | AT_EHLO,
    AT_ANY = ~0,
};

/* One row. What is NULL or 0 fits everything. */
struct rule {
    const char *name;     /* appears in logs: never rename */
    int stages;           /* AT_… */
    int low, high;        /* reply codes, inclusive */
    const char *enhanced; /* "x.1.1|x.1.10"; "" within the list: none was given */
    const char *phrases;  /* one of these must be there: see words_have */
    const char *unless;   /* none of these */
    enum rb_reason reason;
};

/* --- Vocabulary that several rows share ----------------------------------- */

/* clang-format off */

/* Spoken of the client: block lists, addresses, names, rates. */
#define ABOUT_US \
    "dnsbl/dnsbls/rbl/blacklist*/blocklist*|black/block list*|dns block*|" \
    "ip ~ blocked/listed/banned|ip rejected/denied/refused|ip is/was rejected/denied/refused|" \
    "ip has been rejected/denied/refused|blocked/banned ~ ip|blocked using/by/for/due/because|" \
    "is currently blocked|message/mail/email blocked|listed hosts|client host/address|" \
    "your ip/host/server/network/isp/domain|your mail server|your address ip|" \
    "you are not allowed/permitted/authorized/welcome/listed/on/a|allowed/permitted senders|" \
    "sending ip/mta/host/server|host network/access|whitelist*/allowlist*|white/allow list|" \
    "connecting ip/host|source ip|remote ip|ptr/rdns|reverse dns/lookup|no reverse|" \
    "find your hostname/reverse|hostname ~ resolve|helo/ehlo|open relay/proxy|" \
    "dynamic ip/address*|dial up|dialup/dul/residential|" \
    "not accept* mail/connections/messages from|mail/messages/email/connection*/access from ip|" \
    "access from|connection* rejected|no smtp service|too many|rate limit*/exceed*|" \
    "frequency limit*|" \
    "ratelimit*/throttl*/harvest*|dictionary attack*|unusual rate|reputation|spoof*|" \
    "spam/spammer*/unsolicited/abuse/abusive/suspicious/virus/content|" \
    "spf/dkim/dmarc/unauthenticated|not authorized/allowed/permitted to send/connect"

/* Spoken of the sender that we gave. */
#define ABOUT_SENDER \
    "sender verif*/callout/callback/address*/domain/rejected/refused/denied/not/is/unknown/invalid/blocked|" \
    "unknown/invalid/bad/blocked/envelope/local sender|sender does/must|verif* sender|" \
    "verify the sender|callout to sender|domain of sender|senders domain/address|" \
    "sending domain/address|return/reverse path|from address|mail from|" \
    "return/reply/source address|sending from|sent by|" \
    "senders/sending/your account/mailbox/user/inbox|" \
    "senders email/mail|senders e mail|sender of this|^ from user/address/sender|" \
    "your email/mail address ~ not/unknown|your e mail address ~ not/unknown|" \
    "your address ~ rejected/denied/refused|originator|not authorized from"

/* Spoken of bounces as such. */
#define ABOUT_BOUNCES \
    "batv/prvs/backscatter/bounce*/dsn/dsns/ndr/ndrs/nondelivery|non delivery|" \
    "delivery status/report*|null sender*/reverse/return/envelope/address*|" \
    "empty sender/envelope/return/reverse|blank sender/from|did/does not send|doesnt send|" \
    "never send*/sent|not sent from|reverse path signature|unsigned reverse/return"

/* The surest words of ABOUT_US: what is left of it where "HELO" may be an order. */
#define BLOCK_LISTED \
    "dnsbl/dnsbls/rbl/blacklist*/blocklist*/blocked/banned|black/block list*|reputation"

#define ABOUT_TLS "starttls/tls/ssl/encryption/encrypted/encrypt|secure connection/session"

#define ABOUT_RELAYING \
    "relay*/rcpthosts/gateway|not a local domain|not local/our/a domain|domain not local|" \
    "domain ~ not hosted/handled|not responsible for|cannot deliver mail for"

/* The mailbox is not there. Whole phrases only: single words ("unknown") are said of everything. */
#define NO_MAILBOX \
    "user/users/recipient/mailbox/account/address/addressee/username unknown|" \
    "user/recipient/address ~ is unknown|" \
    "unknown user/recipient/mailbox/account/address/email*/username|unknown mail address|" \
    "unknown local/virtual user|" \
    "unknown local part|local part unknown|recipient address unknown|unknown or illegal alias|" \
    "unknown in ~ table/directory|" \
    "no such user/users/username/recipient/mailbox/address/account/person/local/email*/name/virtual/alias/id/customer|" \
    "no such mail drop|no such domain user|" \
    "user/users/recipient/mailbox/account/address/email/alias ~ not found|email ~ not be found|" \
    "recipientnotfound/recipnotfound|" \
    "user/users/recipient/recipients/mailbox/account/address/email/alias/inbox ~ not/doesnt exist|" \
    "user/recipient/mailbox/account/address/email ~ no longer exist/exists/valid/here/used/works/available|" \
    "address ~ no longer in use|user does not have ~ account|user doesnt have ~ account|" \
    "doesnt have a ~ account|does not have an account|has/have no mailbox|" \
    "no mailbox here/by/with/for/found|no account by/with/here|no user by/with/named/here|" \
    "there is no user/mailbox/account|^ no user/mailbox $|any user by that name|" \
    "no recipient by|nobody/noone here/by|nobody by that name|no one by/at/here|person not found|" \
    "address/mailbox/recipient/user not present|address/mailbox/recipient/user is not present|" \
    "not an active address/mailbox/user/account|addresses were unknown|^ is unknown|" \
    "not a known user/recipient/mailbox/address|unrecognized user/recipient|" \
    "user/recipient/mailbox/address not recognized/recognised|" \
    "invalid recipient*/mailbox/user*/account|invalid local part|" \
    "recipient/mailbox/user/account invalid|recipient/mailbox is invalid|" \
    "recipient address is invalid|" \
    "not a valid user/mailbox/recipient/account|not valid recipient|not a recipient|" \
    "not an existing|nonexist* user/mailbox/recipient/account/address|" \
    "non exist* user/mailbox/recipient/address/account|not our customer|not a customer|" \
    "not known here|not known at this|user/recipient/mailbox ~ not known|" \
    "user/recipient is not known|" \
    "not listed in ~ directory/name|not listed in ~ address book|not in ~ directory|" \
    "not in my validrcptto|not found in ~ directory/database/table|" \
    "cannot/could/not/unable ~ find ~ user/recipient/mailbox|unrouteable/unroutable address|" \
    "cannot be routed|no route to recipient|has moved|no forwarding address|" \
    "no longer with/works/employed|left the company/organization|bad destination mailbox|" \
    "no valid recipient*|wrong/bad username|" \
    "adressat/empfaenger unbekannt|destinataire/utilisateur inconnu|adresse inconnue|" \
    "benutzer unbekannt|unbekannter benutzer/empfaenger|unbekannte adresse|" \
    "postfach/adresse/konto/empfaenger/empfnger existiert nicht|postfach nicht vorhanden|" \
    "boite/bote ~ inexistante|utilisateur/destinataire/adresse inexistant*|" \
    "usuario desconocido|no existe ~ usuario|usuario/cuenta/buzon/conta no existe|" \
    "usuario/usurio/conta/caixa ~ inexistente|utente sconosciuto/inesistente|nessun utente|" \
    "casella ~ inesistente|konto nie istnieje|nieznany uzytkownik/adresat"

/* A mailbox is named, but what is not there is its domain, its host, or us. */
#define NO_DOMAIN \
    "domain ~ not found|domain ~ not exist|unknown/invalid/bad recipient/rcpt domain|" \
    "recipient/rcpt domain unknown/invalid/is/not|mx/host for|recipients/mailbox server|" \
    "syntax/parameter"

/* The host asked another one for us, and says so where that one refused. */
#define UNDELIVERABLE \
    "undeliverable address|address is undeliverable|recipient/recipients undeliverable"
#define UNDELIVERABLE_ALONE \
    "undeliverable address $|address is undeliverable $|recipient/recipients undeliverable $"

/* Nobody has looked whether the mailbox is there. */
#define NOT_LOOKED_UP \
    "unverified/lookup/ldap/busy/loop*/timeout|timed out|name service|connect to|" \
    "connection refused/reset/timed/failed/to|try again/later|" \
    "internal/server/system/database error|host not found|domain not found"

/* The mailbox was there, and is closed. */
#define CLOSED_MAILBOX \
    "account/mailbox/user/recipient/address/email ~ disabled|" \
    "disabled account/mailbox/user/recipient|account/mailbox/user/recipient ~ inactive|" \
    "inactive account/mailbox/user/recipient|account/mailbox/user ~ not active|" \
    "account/mailbox/user ~ no longer active|" \
    "account/mailbox/user ~ suspended/deactivated|suspended account/mailbox|" \
    "account/mailbox ~ closed/cancelled/canceled/terminated/expired/deleted/locked/discontinued/archived/removed|" \
    "address ~ discontinued|archived recipient|" BLOCKED_MAILBOX

#define BLOCKED_MAILBOX \
    "account/mailbox/user blocked|account/mailbox/user is blocked|" \
    "account/mailbox/user has been blocked"

/* The mailbox is there, and full. */
#define FULL_MAILBOX \
    "overquota|over quota|over the/its/his/her/their quota|out of quota|" \
    "quota exceeded/full/violation/limit/reached|quota ~ exceeded|" \
    "exceeded/exceeds/exceed ~ quota|disk quota|mailbox/inbox/mailfolder/user/account full|" \
    "mail box/folder full|mailbox/inbox/mailfolder/user/account is full|mailbox ~ is full|" \
    "mailbox ~ too full|mailbox ~ over|mailbox size limit/exceeded|mailbox ~ size ~ exceed*|" \
    "exceeded ~ mailbox size|exceeded/exceeds ~ storage|storage ~ exceeded|" \
    "storage limit/allocation|out of storage space|insufficient mailbox|" \
    "insufficient storage ~ mailbox|mailbox ~ insufficient|not enough ~ mailbox|" \
    "no space ~ mailbox|mailbox ~ no space|mailbox exceeded|mailbox has exceeded|too much mail"

/* Quotas that are not the mailbox's, but for what we send. */
#define OUR_QUOTA \
    "message/messages/sending/sender/senders/hourly/daily/connection/ip/outgoing quota|" \
    "message count|policy rejection ~ quota|quota ~ for your|too much mail from"

#define GREYLISTING_BY_NAME "greylist*/graylist*/greylst*|grey/gray list*"

#define GREYLISTING_BY_MANNER \
    "try again/back later|try later|come back/again later|retry later/in|please retry|" \
    "please try again|try again in/after|resend ~ shortly/later/minutes|not yet authorized|" \
    "not yet ~ allowed|temporarily denied/deferred/rejected/refused/blocked/delayed|" \
    "temporary reject*|delayed/deferred for|service currently unavailable|" \
    "internal resources are temporarily unavailable|first time/attempt/contact|" \
    "new sender/triplet|unknown triplet|unfamiliar|not seen before|havent/not seen"

/* Trouble of the host's, or with our volume: a plain 4yz, whatever politeness stands behind it. */
#define HOST_TROUBLE \
    "busy|too many/quickly/fast|ratelimit*/throttl*|from your ip|" \
    "rate/volume/complaints/reputation/load/overload*/concurren*/connections/limit*|receiving|" \
    "lookup fail*|disk/storage/quota/resources ~ exceeded|disk/storage/quota|" \
    "configuration/hostname/ptr/reverse|user unknown|unknown user|no such user|database/ldap|" \
    "internal/local/server error|mail server|temperror/spf/dkim/dmarc|problem/timeout/maintenance|timed out|out of memory|tls/starttls|verif*"

/* clang-format on */

/* --- The table ------------------------------------------------------------ */

static const struct rule rules[] = {
    /* 2yz. OpenBSD spamd in tarpit mode takes everybody, a byte a second. */
    {"tarpit_accepts_all", AT_ADDRESS, 200, 299, NULL, "hurting you more", NULL,
     RB_REASON_CATCH_ALL},
    /* everybody; 251 and 252 too: the mail would be taken */
    {"accepted", AT_MAIL | AT_RCPT, 200, 299, NULL, NULL, NULL, RB_REASON_ACCEPTED},
    /* hosts out of step with us */
    {"unexpected_2yz", AT_ANY, 200, 299, NULL, NULL, NULL, RB_REASON_PROTOCOL_ERROR},
    /* everybody */
    {"data_expected", AT_DATA, 354, 354, NULL, NULL, NULL, RB_REASON_NONE},
    /* hosts out of step with us */
    {"unexpected_3yz", AT_ANY, 300, 399, NULL, NULL, NULL, RB_REASON_PROTOCOL_ERROR},

    /* 4yz: never an answer about whether the mailbox exists. */
    /* Gmail, Dovecot, Cyrus, Exim, Exchange: RFC 3463 has this code for nothing else */
    {"full_4yz", AT_ADDRESS, 400, 499, "x.2.2", NULL, NULL, RB_REASON_MAILBOX_FULL},
    /* Gmail, Dovecot's quota service and others with x.2.z, x.3.z or no code */
    {"full_4yz_text", AT_ADDRESS, 400, 499, "|x.2.*|x.5.*|x.0.*|x.7.*|x.1.*", FULL_MAILBOX,
     "system storage|server ~ full|file system|sender address|" OUR_QUOTA, RB_REASON_MAILBOX_FULL},
    /* postgrey, milter-greylist, sqlgrey, gld, Rspamd: by its name, whatever else they say */
    {"greylisting_named", AT_ANY, 400, 499, NULL, GREYLISTING_BY_NAME, NULL, RB_REASON_GREYLISTED},
    /* policyd, spamd, Mimecast, Exchange's "4.7.1 Try again later" */
    {"greylisting_like", AT_MAIL | AT_ADDRESS, 400, 499, NULL, GREYLISTING_BY_MANNER, HOST_TROUBLE,
     RB_REASON_GREYLISTED},
    /* everybody: Postfix look-ups, full disks, Yahoo and Outlook.com rates, 421 of any kind */
    {"tempfail", AT_ANY, 400, 499, NULL, NULL, NULL, RB_REASON_TEMPFAIL},

    /* 5yz: the session itself. */
    /* Exchange connectors, submission ports, groups that take mail from insiders only */
    {"auth_wanted", AT_ANY, 500, 599, NULL,
     "authentication required|authentication is required|auth required|must authenticate|"
     "authenticate first|requires authentication|smtp auth*|not authenticated|please authenticate|"
     "log in first|login first|authenticate with|authentication needed|need to authenticate|"
     "authentication failed/failure/unsuccessful|sendernotauthenticated*|must be authenticated",
     "spf/dkim/dmarc|ip is rejected", RB_REASON_REJECTED},
    /* RFC 3207 4 (530), Postfix smtpd_tls_security_level, Exchange, Proofpoint */
    {"tls_wanted", AT_GREETING | AT_MAIL | AT_ADDRESS, 500, 599,
     "|x.7.0|x.7.1|x.7.3|x.7.4|x.7.5|x.7.10|x.7.11|x.5.*|x.0.*", ABOUT_TLS, NULL,
     RB_REASON_TLS_REQUIRED},
    /* RFC 5248: encryption needed */
    {"tls_wanted_x_7_10", AT_MAIL | AT_ADDRESS, 500, 599, "x.7.10", NULL, NULL,
     RB_REASON_TLS_REQUIRED},
    /* RFC 4954 6: authentication, where TLS is not named */
    {"auth_wanted_530", AT_MAIL | AT_ADDRESS, 530, 530, NULL, NULL, NULL, RB_REASON_REJECTED},
    /* everybody; Exim and others say 503 after a refused MAIL */
    {"out_of_order", AT_ANY, 503, 503, NULL, NULL, NO_MAILBOX "|" BLOCK_LISTED,
     RB_REASON_PROTOCOL_ERROR},
    /* hosts that lost the thread; load balancers */
    {"not_a_command", AT_ANY, 500, 500, NULL, NULL, NO_MAILBOX "|" BLOCK_LISTED,
     RB_REASON_PROTOCOL_ERROR},
    /* the same */
    {"not_implemented", AT_ANY, 502, 502, NULL, NULL, NO_MAILBOX "|" BLOCK_LISTED,
     RB_REASON_PROTOCOL_ERROR},
    /* hosts that cannot begin anew */
    {"reset_refused", 1 << RB_STAGE_RSET, 500, 599, NULL, NULL, NULL, RB_REASON_PROTOCOL_ERROR},

    /* The host does not want us at all: there is no address yet that it could mean. */
    /* GMX, IronPort (554), Spamhaus users, RFC 7504 (521), Exim and Postfix HELO checks */
    {"greeting_refused", AT_GREETING | AT_STARTTLS, 500, 599, NULL, NULL, NULL, RB_REASON_BLOCKED},

    /* MAIL: about us, or about the sender that we gave. */
    /* hosts that take no bounces: qmail with badmailfrom, mailing list hosts, some hosters */
    {"null_sender_at_mail", AT_MAIL, 500, 599, NULL, "<>|" ABOUT_BOUNCES, NULL,
     RB_REASON_NULL_SENDER_REFUSED},
    /* Exchange Online (5.7.606), Outlook.com, Postfix without smtpd_delay_reject, rblsmtpd */
    {"us_at_mail", AT_MAIL, 500, 599, NULL, ABOUT_US, NULL, RB_REASON_BLOCKED},
    /* Sendmail, Exim and Postfix checks of the sender */
    {"sender_at_mail", AT_MAIL, 500, 599, NULL, ABOUT_SENDER, NULL, RB_REASON_NULL_SENDER_REFUSED},
    /* whoever gives only a policy code */
    {"policy_at_mail", AT_MAIL, 500, 599, "x.7.*", NULL, NULL, RB_REASON_BLOCKED},
    /* an unclear no to <> is worth asking the fallback sender once */
    {"mail_refused", AT_MAIL, 500, 599, NULL, NULL, NULL, RB_REASON_NULL_SENDER_REFUSED},

    /* RCPT: a host that verifies our sender: about us, whatever it was told about <>. */
    /* Exim, with all that it tells of the callout */
    {"sender_verified_at_rcpt", AT_ADDRESS, 500, 599, NULL,
     "sender verify/verification fail*|callback setup fail*", NULL, RB_REASON_BLOCKED},

    /* RCPT: about bounces. Postfix says at RCPT what it thinks of the sender. */
    /* Postfix with smtpd_delay_reject: "<>: Sender address rejected" */
    {"null_sender_at_rcpt", AT_ADDRESS, 500, 599, NULL,
     "<> ~ sender|<> ~ from|sender ~ <>|from <>|null sender*", NULL, RB_REASON_NULL_SENDER_REFUSED},
    /* Exim and qmail with BATV, Barracuda, Mailman hosts */
    {"bounce_refused", AT_ADDRESS, 500, 599, NULL, ABOUT_BOUNCES, "dnsbl",
     RB_REASON_NULL_SENDER_REFUSED},
    /* A host that verifies our sender and quotes what it was told: about us, though it says "no
       such user" */
    {"sender_at_rcpt", AT_ADDRESS, 500, 599, NULL, ABOUT_SENDER, NULL, RB_REASON_BLOCKED},
    /* RFC 3463: sender's address, sender's domain */
    {"sender_code_at_rcpt", AT_ADDRESS, 500, 599, "x.1.7|x.1.8", NULL, NULL, RB_REASON_BLOCKED},

    /* RCPT: about us. */
    /* policyd, cbpolicyd, hosters with a ceiling on what a client may send */
    {"our_quota", AT_ADDRESS, 500, 599, NULL, OUR_QUOTA, NULL, RB_REASON_BLOCKED},
    /*
     * Postfix, Exim and Sendmail with DNS block lists, Gmail, Outlook.com, AT&T, Verizon,
     * Barracuda, Proofpoint
     */
    {"us_at_rcpt", AT_ADDRESS, 500, 599, NULL, ABOUT_US,
     BLOCKED_MAILBOX "|too many hops|account/mailbox ~ suspended/terminated/closed|" FULL_MAILBOX,
     RB_REASON_BLOCKED},

    /* RCPT: about the mailbox. */
    /* Gmail for a mailbox that gets more than it may: it exists */
    {"receiving_too_much", AT_ADDRESS, 500, 599, NULL,
     "receiving mail ~ rate|receiving mail too|receiving email ~ rate", NULL, RB_REASON_REJECTED},
    /* RFC 3463; Postfix, Gmail, Dovecot */
    {"full_x_2_2", AT_ADDRESS, 500, 599, "x.2.2", NULL, NULL, RB_REASON_MAILBOX_FULL},
    /* Yahoo, qmail, Exim, Mail.ru, hosters: without the code */
    {"full_text", AT_ADDRESS, 500, 599, NULL, FULL_MAILBOX,
     "system storage|message size|size of message|message exceeds|message too",
     RB_REASON_MAILBOX_FULL},
    /* Verizon: "550 4.2.1 mailbox temporarily disabled" */
    {"temporarily_disabled", AT_ADDRESS, 500, 599, NULL,
     "temporary|temporarily ~ disabled/inactive/unavailable/suspended/locked/blocked/rejected",
     NULL, RB_REASON_REJECTED},
    /* Sendmail, Gmail, Yahoo, Mail.ru, hosters that suspend */
    {"disabled_text", AT_ADDRESS, 500, 599, NULL, CLOSED_MAILBOX,
     "inbounds disabled|external/outside|for your ip/host/network/domain/server",
     RB_REASON_DISABLED},
    /* RFC 3463; Gmail, Sendmail. Not AOL, whose 521 5.2.1 was about us */
    {"disabled_x_2_1", AT_ADDRESS, 550, 559, "x.2.1", NULL,
     NO_MAILBOX "|access denied|not "
                "accept*/permitted/allowed/authorized|restrict*/limited/only|policy|" NOT_LOOKED_UP,
     RB_REASON_DISABLED},
    /* Postfix, Exchange, Sendmail, qmail: the domain is not theirs */
    {"relaying", AT_ADDRESS, 500, 599, NULL, ABOUT_RELAYING, NO_MAILBOX, RB_REASON_REJECTED},
    /* nearly everybody: Postfix, Sendmail, Exim, qmail, Exchange, Gmail, Yahoo, Mimecast, Yandex…
     */
    {"no_such_user_text", AT_ADDRESS, 500, 599, NULL, NO_MAILBOX, NO_DOMAIN,
     RB_REASON_NO_SUCH_USER},
    /* the same, where a mailbox is named as well */
    {"relaying_named", AT_ADDRESS, 500, 599, NULL, ABOUT_RELAYING, NULL, RB_REASON_REJECTED},
    /* Postfix with reject_unverified_recipient, and gateways */
    {"undeliverable", AT_ADDRESS, 500, 599, NULL, UNDELIVERABLE_ALONE, NULL,
     RB_REASON_NO_SUCH_USER},
    /* Exchange Online, directory-based edge blocking: "5.4.1 Recipient address rejected: Access
       denied" */
    {"exchange_edge", AT_ADDRESS, 500, 599, "x.4.1",
     "recipient address/addresses rejected access denied", NULL, RB_REASON_NO_SUCH_USER},
    /* Outlook.com, GMX, IONOS: RFC 5321's own words for 550 */
    {"mailbox_unavailable", AT_ADDRESS, 550, 550, "|x.1.*|x.5.0|x.5.1|x.0.0|x.2.0",
     "mailbox unavailable|mailbox not available|mailbox is unavailable|mailbox ~ is unavailable",
     "access denied|policy|denied|busy/later/currently/temporar*", RB_REASON_NO_SUCH_USER},
    /* IronPort: "#5.1.0 Address rejected." */
    {"address_rejected_x_1_0", AT_ADDRESS, 550, 550, "x.1.0", "address rejected",
     "policy|access|denied", RB_REASON_NO_SUCH_USER},
    /* RFC 3463 x.1.1, x.1.6 and RFC 7505 x.1.10, with a text that says nothing against it */
    {"bad_mailbox_code", AT_ADDRESS, 550, 559, "x.1.1|x.1.10|x.1.6", NULL,
     "policy/denied/prohibited/restrict*/limit*/refuse*/domain|"
     "not permitted/allowed/authorized/accept*|" NOT_LOOKED_UP "|" UNDELIVERABLE,
     RB_REASON_NO_SUCH_USER},

    /* RCPT: what is left. */
    /* Exchange: groups and people that take mail from insiders only. The mailbox exists; it is not
       about us */
    {"restricted_recipient", AT_ADDRESS, 500, 599, "x.7.12*|x.7.13*|x.7.2", NULL, NULL,
     RB_REASON_REJECTED},
    /* Exchange, IronPort, Mimecast: a policy, and not about the mailbox by its words */
    {"policy_code", AT_ADDRESS, 500, 599, "x.7.*", NULL, NULL, RB_REASON_BLOCKED},
    /* Proofpoint, Barracuda and others: "blocked", and no more */
    {"blocked_word", AT_ADDRESS, 500, 599, NULL, "blocked|banned|571", NULL, RB_REASON_BLOCKED},
    /* Verizon, Symantec: 571 means blocked */
    {"blocked_571", AT_ADDRESS, 571, 571, NULL, NULL, NULL, RB_REASON_BLOCKED},
    /* whatever nobody has taught us: no harm to the sender */
    {"rejected", AT_ANY, 500, 599, NULL, NULL, NULL, RB_REASON_REJECTED},
};

static bool fits(const struct rule *rule, enum rb_stage stage, int code, const char *enhanced,
                 const struct words *words)
{
    return (rule->stages & 1 << stage) != 0 && code >= rule->low && code <= rule->high &&
           (rule->enhanced == NULL || enhanced_is(enhanced, rule->enhanced)) &&
           (rule->phrases == NULL || words_have(words, rule->phrases)) &&
           (rule->unless == NULL || !words_have(words, rule->unless));
}

/* --- Whom it speaks of ----------------------------------------------------- */

/* clang-format off */

/* A limit of this session's. */
#define SESSION_LIMIT \
    "recipient/recipients per session/connection/transaction/message|" \
    "too many invalid/unknown/bad/wrong/nonexistent/rejected/failed/errors/commands/recipients/unrecognized|" \
    "too many syntax/protocol/non/nonmail/unsuccessful|recipient limit|limit reached for ~ session"

/* Our number or pace, of now. */
#define PACE \
    "too much mail from|too many recipients from|too many connections|too many concurrent|" \
    "too many messages/mails/requests/sessions|too many errors from|" \
    "rate ~ exceed*|rate limit*/exceed*|ratelimit*/throttl*|too fast/quickly|frequency limit*|" \
    "concurren* connection*/limit*|per source limit"

/* clang-format on */

static enum classify_subject subject_of(enum rb_reason reason, int class, const struct words *words)
{
    if (classify_is_about_mailbox(reason))
        return CLASSIFY_MAILBOX;
    if (reason == RB_REASON_NULL_SENDER_REFUSED)
        return CLASSIFY_SENDER;
    if (reason != RB_REASON_BLOCKED && reason != RB_REASON_REJECTED && class != 4)
        return CLASSIFY_HOST;
    if (words_have(words, PACE))
        return CLASSIFY_PACE;
    if (words_have(words, SESSION_LIMIT))
        return CLASSIFY_SESSION;
    if (reason == RB_REASON_BLOCKED && words_have(words, "recipient address rejected") &&
        !words_have(words, ABOUT_US "|" ABOUT_SENDER))
        return CLASSIFY_RECIPIENT;
    if (reason == RB_REASON_BLOCKED)
        return words_have(words, ABOUT_SENDER) ? CLASSIFY_SENDER : CLASSIFY_US;
    return reason == RB_REASON_REJECTED ? CLASSIFY_RECIPIENT : CLASSIFY_HOST;
}

struct judgement classify(const struct classify_question *about, enum rb_stage stage,
                          const struct reply *reply)
{
    struct judgement judgement = {.reason = RB_REASON_PROTOCOL_ERROR, .rule = "unexpected_code"};
    char enhanced[RB_ENHANCED_MAX + 1];
    struct words words;

    (void)about;
    words_read(&words, reply);
    reply_enhanced(reply, enhanced);
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (!fits(&rules[i], stage, reply->code, enhanced, &words))
            continue;
        judgement = (struct judgement){.reason = rules[i].reason, .rule = rules[i].name};
        break;
    }
    judgement.subject = subject_of(judgement.reason, reply_class(reply), &words);
    if (judgement.reason == RB_REASON_GREYLISTED || judgement.reason == RB_REASON_TEMPFAIL)
        judgement.wait_s = reply_wait_s(reply, CLASSIFY_WAIT_MIN_S, CLASSIFY_WAIT_MAX_S);
    return judgement;
}

bool classify_is_about_mailbox(enum rb_reason reason)
{
    switch (reason) {
    case RB_REASON_ACCEPTED:
    case RB_REASON_MAILBOX_FULL:
    case RB_REASON_NO_SUCH_USER:
    case RB_REASON_DISABLED:
    case RB_REASON_CATCH_ALL:
        return true;
    default:
        return false;
    }
}
