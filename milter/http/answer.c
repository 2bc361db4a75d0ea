/* SPDX-License-Identifier: BSD-2-Clause */
/* answer: see answer.h. */
#include "config.h"

#include "http/answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "http/guard.h"
#include "http/routes.h"

static const char plain[] = "text/plain; charset=utf-8";
static const char close_it[] = "";

/* An answer of one sentence. */
static bool say(struct answer *answer, unsigned status, const char *text)
{
    answer->status = status;
    answer->type = plain;
    if (asprintf(&answer->body, "%s\n", text) < 0) {
        answer->body = NULL;
        return false;
    }
    answer->len = strlen(answer->body);
    return true;
}

static bool say_with(struct answer *answer, unsigned status, const char *text, const char *name,
                     const char *value)
{
    answer->name = name;
    answer->value = value;
    answer->closes = name == close_it;
    if (answer->closes)
        answer->name = NULL;
    return say(answer, status, text);
}

/* --- What is no request that we answer ------------------------------------ */

/* Methods that others know, and we know to refuse (RFC 9110 9.3, RFC 5789). */
static bool is_method(const char *method)
{
    static const char *const names[] = {"POST",    "PUT",   "DELETE", "CONNECT",
                                        "OPTIONS", "TRACE", "PATCH"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(method, names[i]) == 0)
            return true;
    return false;
}

static bool is_read(const char *method)
{
    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

/* True: it is refused, and the answer is made; *fine is false where there was no memory. */
static bool refuse_form(const struct question *question, const struct connection *connection,
                        struct answer *answer, bool *fine)
{
    if (question->header_size > ANSWER_HEADERS_MAX)
        *fine = say_with(answer, 431, "The request's header is too large.", close_it, NULL);
    else if (is_method(question->method))
        *fine = say_with(answer, 405, "All is read only here: GET and HEAD would be right.",
                         "Allow", "GET, HEAD");
    else if (!is_read(question->method))
        *fine = say_with(answer, 501, "There is no such method here: GET and HEAD would be right.",
                         close_it, NULL);
    else if (question->has_content)
        *fine = say_with(answer, 400, "A request to read has no content.", close_it, NULL);
    else if (strlen(connection->request.text) == 0 && !connection->is_request_good)
        *fine = say_with(answer, 414, "The request's target is too long.", close_it, NULL);
    else if (!connection->is_request_good)
        *fine = say(answer, 400, "The request's target is wrong: no UTF-8, a NUL, or no path.");
    else
        return false;
    if (!is_read(question->method))
        answer->closes = true; /* what may follow is content */
    return true;
}

/* --- Who is meant, and who asks ------------------------------------------- */

static enum guard_verdict judge_host(const struct question *question,
                                     const struct connection *connection,
                                     const struct config *config)
{
    const bool is_old = strcmp(question->version, "HTTP/1.0") == 0;
    const char *host = question->host;
    char machine[RB_DOMAIN_MAX + 1] = "";
    struct guard_names names = {.hostname = config->hostname,
                                .machine = machine,
                                .local = connection->is_by_ip ? &connection->local : NULL,
                                .allowed = &config->http_allow};

    if (question->host_count > 1 || (host == NULL && !is_old))
        return GUARD_WRONG;
    if (connection->request.authority[0] != '\0')
        host = connection->request.authority; /* RFC 9112 3.2.2: it counts, not the field */
    if (host == NULL || (host[0] == '\0' && is_old))
        return GUARD_OURS; /* no browser */
    (void)gethostname(machine, sizeof machine - 1);
    return guard_judge(host, &names);
}

static bool refuse_host(const struct question *question, const struct connection *connection,
                        const struct config *config, struct answer *answer, bool *fine)
{
    switch (judge_host(question, connection, config)) {
    case GUARD_OURS:
        return false;
    case GUARD_WRONG:
        *fine = say_with(answer, 400, "The request's Host is missing, or wrong.", close_it, NULL);
        return true;
    default:
        *fine = say(answer, 421,
                    "The request's Host is not one of ours: this host's name (\"hostname\" of "
                    "ringback.conf), its address or localhost would be right.");
        return true;
    }
}

static bool refuse_stranger(const struct question *question, const struct connection *connection,
                            const struct config *config, struct login_memory *logins,
                            struct answer *answer, bool *fine)
{
    enum login_verdict verdict = LOGIN_WRONG;
    struct login login;

    if (config->http_password_file[0] == '\0')
        return false;
    if (question->authorization != NULL && login_read(question->authorization, &login)) {
        verdict = login_check(logins, &config->http_passwords, &login, &connection->ip);
        explicit_bzero(&login, sizeof login);
    }
    if (verdict == LOGIN_RIGHT)
        return false;
    if (verdict == LOGIN_LIMITED)
        *fine =
            say_with(answer, 429, "Too many wrong passwords: try again later.", "Retry-After", "5");
    else
        *fine = say_with(answer, 401, "A user's name and password are needed.", "WWW-Authenticate",
                         "Basic realm=\"ringback\", charset=\"UTF-8\"");
    return true;
}

/* --- The resource --------------------------------------------------------- */

static bool write_resource(const struct connection *connection, struct answer *answer)
{
    const struct route *route = routes_find(connection->request.path);
    FILE *out;
    bool failed;

    if (route == NULL)
        return say(answer, 404, "There is nothing here.");
    out = open_memstream(&answer->body, &answer->len);
    if (out == NULL)
        return false;
    answer->type = route->type;
    answer->status = route->write(&connection->request, out);
    failed = ferror(out) != 0;
    return fclose(out) == 0 && !failed;
}

bool answer_make(const struct question *question, const struct connection *connection,
                 const struct config *config, struct login_memory *logins, struct answer *answer)
{
    bool fine = true;

    *answer = (struct answer){.status = 0};
    if (!refuse_form(question, connection, answer, &fine) &&
        !refuse_host(question, connection, config, answer, &fine) &&
        !refuse_stranger(question, connection, config, logins, answer, &fine))
        fine = write_resource(connection, answer);
    if (!fine)
        free(answer->body);
    return fine;
}
