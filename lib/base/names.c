/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * names: the words for errors, verdicts, reasons, stages, limits, vouchers and results of clients as
 * the documentation has them, and the fixed table of which verdict a reason stands for.
 * Administrators' scripts depend on the words: append only.
 */
#include "config.h"

#include "ringback.h"

#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
    const char *name; /* NULL: no reason has this number */
    enum rb_verdict verdict;
} reasons[RB_REASON_MAX] = {
    [RB_REASON_NONE] = {"", RB_VERDICT_UNKNOWN},

    [RB_REASON_ACCEPTED] = {"accepted", RB_VERDICT_VALID},
    [RB_REASON_MAILBOX_FULL] = {"mailbox_full", RB_VERDICT_VALID},
    [RB_REASON_CORRESPONDENT] = {"correspondent", RB_VERDICT_VALID},

    [RB_REASON_NO_SUCH_USER] = {"no_such_user", RB_VERDICT_INVALID},
    [RB_REASON_DISABLED] = {"disabled", RB_VERDICT_INVALID},
    [RB_REASON_NO_DOMAIN] = {"no_domain", RB_VERDICT_INVALID},
    [RB_REASON_NO_MAIL_HOST] = {"no_mail_host", RB_VERDICT_INVALID},
    [RB_REASON_NULL_MX] = {"null_mx", RB_VERDICT_INVALID},
    [RB_REASON_BOGUS_MX] = {"bogus_mx", RB_VERDICT_INVALID},
    [RB_REASON_BAD_ADDRESS] = {"bad_address", RB_VERDICT_INVALID},

    [RB_REASON_CATCH_ALL] = {"catch_all", RB_VERDICT_UNKNOWN},
    [RB_REASON_GREYLISTED] = {"greylisted", RB_VERDICT_UNKNOWN},
    [RB_REASON_TEMPFAIL] = {"tempfail", RB_VERDICT_UNKNOWN},
    [RB_REASON_BLOCKED] = {"blocked", RB_VERDICT_UNKNOWN},
    [RB_REASON_NULL_SENDER_REFUSED] = {"null_sender_refused", RB_VERDICT_UNKNOWN},
    [RB_REASON_REJECTED] = {"rejected", RB_VERDICT_UNKNOWN},
    [RB_REASON_TLS_REQUIRED] = {"tls_required", RB_VERDICT_UNKNOWN},
    [RB_REASON_UNREACHABLE] = {"unreachable", RB_VERDICT_UNKNOWN},
    [RB_REASON_DNS_FAILURE] = {"dns_failure", RB_VERDICT_UNKNOWN},
    [RB_REASON_PROTOCOL_ERROR] = {"protocol_error", RB_VERDICT_UNKNOWN},
    [RB_REASON_TIMEOUT] = {"timeout", RB_VERDICT_UNKNOWN},
    [RB_REASON_LIMITED] = {"limited", RB_VERDICT_UNKNOWN},
    [RB_REASON_BUSY] = {"busy", RB_VERDICT_UNKNOWN},
    [RB_REASON_SPF_FAIL] = {"spf_fail", RB_VERDICT_UNKNOWN},
    [RB_REASON_EXEMPT] = {"exempt", RB_VERDICT_UNKNOWN},
    [RB_REASON_INTERNAL_ERROR] = {"internal_error", RB_VERDICT_UNKNOWN},
    [RB_REASON_SPF_SOFTFAIL] = {"spf_softfail", RB_VERDICT_UNKNOWN},
    [RB_REASON_NOT_VOUCHED] = {"not_vouched", RB_VERDICT_UNKNOWN},
    [RB_REASON_TOO_LARGE] = {"too_large", RB_VERDICT_UNKNOWN},
};

static const char *const verdicts[] = {
    [RB_VERDICT_UNKNOWN] = "unknown",
    [RB_VERDICT_VALID] = "valid",
    [RB_VERDICT_INVALID] = "invalid",
};

static const char *const stages[RB_STAGE_MAX] = {
    [RB_STAGE_NONE] = "",         [RB_STAGE_DNS] = "dns",   [RB_STAGE_CONNECT] = "connect",
    [RB_STAGE_BANNER] = "banner", [RB_STAGE_EHLO] = "ehlo", [RB_STAGE_STARTTLS] = "starttls",
    [RB_STAGE_MAIL] = "mail",     [RB_STAGE_RCPT] = "rcpt", [RB_STAGE_DATA] = "data",
    [RB_STAGE_RSET] = "rset",     [RB_STAGE_QUIT] = "quit", [RB_STAGE_VERB] = "verb",
};

static const char *const limits[RB_LIMIT_MAX] = {
    [RB_LIMIT_NONE] = "",
    [RB_LIMIT_HOST] = "hosts_held_back",
    [RB_LIMIT_SHIELD] = "shield",
    [RB_LIMIT_DOMAIN_RATE] = "per_domain_rate",
    [RB_LIMIT_CLIENT_RATE] = "per_client_rate",
    [RB_LIMIT_GLOBAL_RATE] = "global_rate",
    [RB_LIMIT_HOST_SESSIONS] = "per_host_sessions",
    [RB_LIMIT_HOST_PAUSED] = "host_paused",
    [RB_LIMIT_YIELDED] = "gave_way",
    [RB_LIMIT_QUEUE_FULL] = "queue_full",
};

static const char *const vouchers[RB_VOUCHER_MAX] = {
    [RB_VOUCHER_NOBODY] = "nobody", [RB_VOUCHER_SPF] = "spf",   [RB_VOUCHER_MX] = "mx",
    [RB_VOUCHER_PTR] = "ptr",       [RB_VOUCHER_DKIM] = "dkim", [RB_VOUCHER_POLICY] = "policy",
};

static const char *const client_results[] = {
    [RB_CLIENT_UNKNOWN] = "unknown",
    [RB_CLIENT_UNREACHABLE] = "unreachable",
    [RB_CLIENT_UNSUPPORTED] = "unsupported",
    [RB_CLIENT_REACHABLE] = "reachable",
    [RB_CLIENT_MAYBE] = "maybe",
    [RB_CLIENT_DENIED] = "denied",
    [RB_CLIENT_CONFIRMED] = "confirmed",
};

static const char *const errors[] = {
    [RB_OK] = "no error",
    [RB_ERR_NOMEM] = "out of memory",
    [RB_ERR_ARGUMENT] = "an argument is out of range or malformed",
    [RB_ERR_TOO_LONG] = "it does not fit",
    [RB_ERR_SYSTEM] = "the operating system refused",
    [RB_ERR_STORE] = "the cache cannot be read or written",
    [RB_ERR_NOT_FOUND] = "there is no such record",
    [RB_ERR_CLOSING] = "the verifier is being shut down",
    [RB_ERR_NOT_YET] = "there is no answer yet",
    [RB_ERR_BUSY] = "it is still in use",
};

/* The unsigned index also catches negative numbers. */
static const char *name_at(const char *const *names, size_t count, unsigned index)
{
    return index < count && names[index] != NULL ? names[index] : "?";
}

const char *rb_error_text(enum rb_error error)
{
    return name_at(errors, COUNT_OF(errors), (unsigned)error);
}

const char *rb_verdict_name(enum rb_verdict verdict)
{
    return name_at(verdicts, COUNT_OF(verdicts), (unsigned)verdict);
}

const char *rb_stage_name(enum rb_stage stage)
{
    return name_at(stages, COUNT_OF(stages), (unsigned)stage);
}

const char *rb_limit_name(enum rb_limit limit)
{
    return name_at(limits, COUNT_OF(limits), (unsigned)limit);
}

const char *rb_voucher_name(enum rb_voucher voucher)
{
    return name_at(vouchers, COUNT_OF(vouchers), (unsigned)voucher);
}

const char *rb_client_result_name(enum rb_client_result result)
{
    return name_at(client_results, COUNT_OF(client_results), (unsigned)result);
}

const char *rb_reason_name(enum rb_reason reason)
{
    if ((unsigned)reason >= COUNT_OF(reasons) || reasons[reason].name == NULL)
        return "?";
    return reasons[reason].name;
}

/* What nobody knows says nothing about an address. */
enum rb_verdict rb_reason_verdict(enum rb_reason reason)
{
    if ((unsigned)reason >= COUNT_OF(reasons))
        return RB_VERDICT_UNKNOWN;
    return reasons[reason].verdict;
}

enum rb_reason rb_reason_from_name(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(reasons); i++) {
        if (reasons[i].name != NULL && strcmp(reasons[i].name, name) == 0)
            return (enum rb_reason)i;
    }
    return RB_REASON_NONE;
}

enum rb_error rb_verdict_from_name(const char *name, enum rb_verdict *verdict)
{
    for (size_t i = 0; i < COUNT_OF(verdicts); i++) {
        if (strcmp(verdicts[i], name) == 0) {
            *verdict = (enum rb_verdict)i;
            return RB_OK;
        }
    }
    return RB_ERR_NOT_FOUND;
}

const char *rb_version(void)
{
    return PACKAGE_VERSION;
}

unsigned rb_version_number(void)
{
    return RB_VERSION_NUMBER;
}
