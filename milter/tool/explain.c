/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explain: `ringback explain`: what the milter would do with a transaction, and why. The running
 * daemon says it, where there is one, with its configuration, its limits and its shield; else this
 * process, with what the file says (session/explain.h). Where a mail host would be called, this
 * process calls it, as the daemon would, and keeps nothing of what it learns.
 */
#include "config.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>

#include "base/clock.h"
#include "base/control_protocol.h"
#include "base/json.h"
#include "base/sleep.h"
#include "base/text.h"
#include "session/explain.h"
#include "session/session.h"
#include "tool/control.h"
#include "tool/load.h"
#include "tool/say.h"
#include "tool/syntax.h"
#include "tool/tool.h"

enum {
    ROUNDS_MAX = 100, /* there are two questions at most; the others wait for one under way */
    ANSWERED_PAUSE_MS = 300, /* before it is looked whether that one is answered */
    LINE_MAX_OCTETS = CONTROL_LINE_MAX - 1,
};

struct transaction_arguments {
    const char *config_path, *client, *helo, *from, *to;
    bool authenticated;
    uint64_t message_size;
};

/* One explanation. */
struct run {
    const struct transaction_arguments *arguments;
    json_t *request;              /* of explain_object */
    char *control;                /* where the daemon answers; NULL: this process does */
    struct config *config;        /* of the file; NULL: not needed yet */
    struct rb_verifier *verifier; /* calls mail hosts; NULL: not needed yet */
};

#define SETS(field, how) SYNTAX_SETS(struct transaction_arguments, field, how)

static const struct syntax_option explain_options[] = {
    SYNTAX_CONFIG(struct transaction_arguments),
    {.name = "client",
     .value = "IP",
     SETS(client, SYNTAX_TEXT),
     .required = true,
     .help = "the client's address"},
    {.name = "helo",
     .value = "NAME",
     SETS(helo, SYNTAX_TEXT),
     .required = true,
     .help = "what it says after EHLO"},
    {.name = "from",
     .value = "ADDRESS",
     SETS(from, SYNTAX_TEXT),
     .required = true,
     .help = "the envelope sender; \"<>\" for the null sender"},
    {.name = "to",
     .value = "ADDRESS",
     SETS(to, SYNTAX_TEXT),
     .required = true,
     .help = "the recipient"},
    {.name = "authenticated",
     SETS(authenticated, SYNTAX_FLAG),
     .help = "as if the client had logged in"},
    {.name = "size",
     .value = "OCTETS",
     SETS(message_size, SYNTAX_NUMBER),
     .help = "of the message, as the client gives it with MAIL"},
    {0}};

static const struct syntax syntax = {
    .name = "explain",
    .options = explain_options,
    .help = "Says, without a message, what the milter would do with such a transaction and why:\n"
            "each exemption tested, the policy that matched, the verdict, the action, the reply.\n"
            "The running daemon is asked; where it would call a mail host, this is done here.\n"
            "Nothing is written anywhere.\n",
};

/* --- The request ---------------------------------------------------------- */

static json_t *new_request(const struct transaction_arguments *arguments)
{
    return json_pack("{s:s, s:o, s:o, s:o, s:b, s:I, s:{}}", "client", arguments->client, "helo",
                     json_octets(arguments->helo), "from", json_octets(arguments->from), "to",
                     json_octets(arguments->to), "authenticated", (int)arguments->authenticated,
                     "size", (json_int_t)arguments->message_size, "answers");
}

/* The request in one line, as the daemon takes it; the caller's. NULL: no memory. */
static char *request_line(const json_t *request)
{
    char *text = json_dumps(request, JSON_COMPACT | JSON_ENSURE_ASCII);
    size_t size = text != NULL ? strlen(text) + sizeof CONTROL_EXPLAIN "\n" : 0;
    char *line = text != NULL ? malloc(size) : NULL;

    if (line != NULL)
        (void)snprintf(line, size, "%s%s\n", CONTROL_EXPLAIN, text);
    free(text);
    return line;
}

/* --- Whom to ask ---------------------------------------------------------- */

/* Whether the daemon runs with the file that was named; with no file named, with any. */
static bool is_of_file(const struct transaction_arguments *arguments, json_t *said)
{
    struct stat file;

    return arguments->config_path == NULL ||
           (stat(arguments->config_path, &file) == 0 &&
            json_integer_value(json_object_get(said, "config_dev")) == (json_int_t)file.st_dev &&
            json_integer_value(json_object_get(said, "config_ino")) == (json_int_t)file.st_ino);
}

static void say_who(json_t *said)
{
    char age[64];

    text_duration(json_integer_value(json_object_get(said, "config_age_s")), age, sizeof age);
    printf("daemon      pid %" JSON_INTEGER_FORMAT ", with %s as it was %s ago%s\n",
           json_integer_value(json_object_get(said, "pid")),
           json_member_text(said, "config")[0] != '\0' ? json_member_text(said, "config")
                                                       : "the defaults",
           age,
           json_is_true(json_object_get(said, "config_changed"))
               ? "; the file has been changed since (ringback reload)"
               : "");
}

static json_t *ask_daemon(const struct run *run)
{
    char *line = request_line(run->request);
    json_t *said = line != NULL ? control_ask(run->control, line) : NULL;
    int saved = errno;

    free(line);
    errno = saved;
    return said;
}

static void forget_daemon(struct run *run)
{
    free(run->control);
    run->control = NULL;
}

/* What the daemon says first; NULL, having said why: this process has to do. */
static json_t *begin_with_daemon(struct run *run)
{
    json_t *said = ask_daemon(run);
    int error = errno;

    if (said == NULL && (error == ENOENT || error == ECONNREFUSED))
        printf("daemon      none at %s: its limits and its shield are not known here\n",
               run->control);
    else if (said == NULL)
        control_say_why(run->control, error);
    else if (!json_is_true(json_object_get(said, "ok")))
        (void)say_line(EX_OK, "the daemon at %s does not explain: %s", run->control,
                       json_member_text(said, "message"));
    else if (!is_of_file(run->arguments, said))
        printf("daemon      runs with %s, not with this file: what follows is by the file, without "
               "its limits and its shield\n",
               json_member_text(said, "config"));
    else
        return said;
    json_decref(said);
    forget_daemon(run);
    return NULL;
}

/* Where the daemon would answer. EX_OK, or the exit status. */
static int find_daemon(struct run *run)
{
    struct config *config;
    int status = load_config(run->arguments->config_path, CONFIG_CONTROL, &config);

    if (status != EX_OK)
        return status;
    if (config->control[0] == '\0')
        printf("daemon      cannot be asked (control is \"\"): its limits and its shield are not "
               "known here\n");
    else if ((run->control = strdup(config->control)) == NULL)
        status = say_line(EX_OSERR, "out of memory");
    config_put(config);
    return status;
}

/* --- Calling -------------------------------------------------------------- */

static void set_options(const struct run *run, struct rb_options *options)
{
    config_options(run->config, options);
    options->store_owner_fix = true;
    options->store_read_only = true;
    options->greylist.retry = false;
    options->shield.addresses = 0; /* the daemon has its own, and has said that it would call */
}

/* There is no cache yet: then nothing is known. */
static enum rb_error open_without_cache(struct run *run, struct rb_options *options, char *detail,
                                        size_t size)
{
    options->store = NULL;
    return rb_verifier_open(options, &run->verifier, detail, size);
}

/*
 * A verifier that knows what is known, and keeps nothing. EX_OK, or the exit status, having said
 * why.
 */
static int open_verifier(struct run *run)
{
    char detail[300] = "";
    struct rb_options options;
    enum rb_error error;

    set_options(run, &options);
    error = rb_verifier_open(&options, &run->verifier, detail, sizeof detail);
    if (error == RB_ERR_STORE && errno == ENOENT)
        error = open_without_cache(run, &options, detail, sizeof detail);
    if (error == RB_OK)
        return EX_OK;
    return say_line(error == RB_ERR_STORE ? EX_IOERR : EX_OSERR, "%s%s",
                    detail[0] != '\0' ? detail : rb_error_text(error),
                    error == RB_ERR_STORE ? say_hint(errno) : "");
}

/* What is needed to call: the configuration, as much of it as that takes, and the verifier. */
static int prepare_to_call(struct run *run)
{
    int status = EX_OK;

    if (run->config == NULL)
        status = load_config(run->arguments->config_path,
                             run->control != NULL ? CONFIG_CALLOUTS : CONFIG_WHOLE, &run->config);
    if (status == EX_OK && run->verifier == NULL)
        status = open_verifier(run);
    return status;
}

/* Asks what the daemon would ask. NULL, and *status: it could not be asked. */
static json_t *call_mail_host(struct run *run, json_t *wanted, int *status)
{
    char *address = json_read_octets(json_object_get(wanted, "address"));
    const char *relay = json_string_value(json_object_get(wanted, "relay"));
    struct rb_question question = {
        .address = address,
        .relay = relay,
        .message_size = (uint64_t)json_integer_value(json_object_get(wanted, "size")),
    };
    struct rb_answer answer = {0};
    json_t *object = NULL;
    const int64_t wait_ms = json_integer_value(json_object_get(wanted, "max_wait_ms"));
    enum rb_error error = RB_ERR_NOMEM;

    if (address != NULL) {
        question.address_len = strlen(address);
        error = rb_verify(run->verifier, &question, rb_now_ms(run->verifier) + wait_ms, &answer);
    }
    if (error == RB_OK || error == RB_ERR_NOT_YET)
        object = json_answer(&answer, address, false);
    else
        *status = say_line(EX_OSERR, "%s", rb_error_text(error));
    rb_answer_fini(&answer);
    free(address);
    return object;
}

/* --- Explaining ----------------------------------------------------------- */

static json_t *explain_once(struct run *run)
{
    return run->control != NULL ? ask_daemon(run)
                                : explain_object(run->verifier, run->config, run->request);
}

/* The first explanation. NULL: *status is the exit status, and it was said why. */
static json_t *explain_first(struct run *run, int *status)
{
    json_t *said = run->control != NULL ? begin_with_daemon(run) : NULL;

    if (said != NULL) {
        say_who(said);
        return said;
    }
    *status = prepare_to_call(run);
    return *status == EX_OK ? explain_once(run) : NULL;
}

/*
 * Asks a mail host what is wanted, and puts its answer into the request. EX_OK, or the exit status.
 */
static int answer_question(struct run *run, json_t *wanted)
{
    const char *of = json_member_text(wanted, "of");
    int status = prepare_to_call(run);
    json_t *answer = status == EX_OK ? call_mail_host(run, wanted, &status) : NULL;

    if (answer != NULL)
        json_object_set_new(json_object_get(run->request, "answers"), of, answer);
    return status;
}

/*
 * Does what is needed for the next round. A question that is under way already is not asked twice:
 * it is waited for, as long as a client would wait. False: there is no next round.
 */
static bool go_on(struct run *run, json_t *wanted, deadline until, int *status)
{
    if (!json_is_true(json_object_get(wanted, "under_way"))) {
        *status = answer_question(run, wanted);
        return *status == EX_OK;
    }
    sleep_ms(ANSWERED_PAUSE_MS);
    return deadline_left_ms(clock_system(), until) > 0;
}

/* Explains and asks until no question is left. The last explanation; the caller's. */
static json_t *explain_repeatedly(struct run *run, int *status)
{
    json_t *said = explain_first(run, status), *wanted;
    deadline until = 0;

    for (unsigned round = 0; said != NULL && round < ROUNDS_MAX; round++) {
        wanted = json_object_get(said, "ask");
        if (wanted == NULL)
            break;
        if (round == 0)
            until = deadline_in(clock_system(),
                                json_integer_value(json_object_get(wanted, "max_wait_ms")));
        if (!go_on(run, wanted, until, status))
            break; /* what is known so far is told */
        json_decref(said);
        said = explain_once(run);
    }
    if (said == NULL && *status == EX_OK)
        *status = say_line(EX_UNAVAILABLE, "the daemon gave no answer");
    return said;
}

static int explain_to_the_end(struct run *run)
{
    int status = find_daemon(run);
    json_t *said = status == EX_OK ? explain_repeatedly(run, &status) : NULL;

    if (said != NULL && json_is_true(json_object_get(said, "ok")))
        (void)fputs(json_member_text(said, "text"), stdout);
    else if (said != NULL)
        status = say_line(EX_SOFTWARE, "%s", json_member_text(said, "message"));
    json_decref(said);
    return status;
}

static int check_request(const struct transaction_arguments *arguments, const json_t *request)
{
    struct sockaddr_storage client;
    char *line;
    size_t len;

    if (!session_client_from_text(arguments->client, &client))
        return syntax_fail(&syntax, "--client: \"%s\" is not an IP address", arguments->client);
    if (arguments->message_size > INT64_MAX)
        return syntax_fail(&syntax, "--size: no message is that large");
    line = request_line(request);
    len = line != NULL ? strlen(line) : 0;
    free(line);
    return len > LINE_MAX_OCTETS / 2 ? syntax_fail(&syntax, "that is too long") : -1;
}

int explain_run(int argc, char **argv)
{
    struct transaction_arguments arguments = {0};
    struct run run = {.arguments = &arguments};
    char **none;
    int status = syntax_parse(&syntax, argc, argv, &arguments, &none);

    if (status >= 0)
        return status;
    run.request = new_request(&arguments);
    status = run.request != NULL ? check_request(&arguments, run.request)
                                 : say_line(EX_OSERR, "out of memory");
    if (status < 0)
        status = explain_to_the_end(&run);
    (void)rb_verifier_close(run.verifier); /* nothing was written */
    config_put(run.config);
    json_decref(run.request);
    free(run.control);
    return status;
}
