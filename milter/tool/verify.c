/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * verify: `ringback verify`: asks now. Many addresses are asked for in parallel, in bounded
 * memory: a window of questions (window) moves over the input (input), and how far it is,
 * is kept (list).
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/json.h"
#include "base/text.h"
#include "tool/input.h"
#include "tool/list.h"
#include "tool/load.h"
#include "tool/say.h"
#include "tool/syntax.h"
#include "tool/tool.h"
#include "tool/transcript.h"
#include "tool/window.h"

enum {
    READ_AT_ONCE = 64, /* lines, before answers are looked for */
    PAUSE_MS = 10,     /* how often that is done when nothing else is to be, */
    IDLE_MS = 250,     /* and how often it is looked for signals when nothing is asked */
};

struct request {
    const char *config_path, *relay, *resume;
    bool json, transcript, no_cache;
    uint64_t message_size;
};

struct batch {
    const struct request *request;
    char **addresses; /* of the command line, those not asked yet */
    struct window window;
    struct input input;
    struct list list;
    int error;   /* an exit status that stands above the verdicts; EX_OK: none */
    bool broken; /* off, by a signal */
};

/* Why it is to stop; 0: it is not. */
static volatile sig_atomic_t stop_signal;

static void note_signal(int number)
{
    stop_signal = number;
}

/* --- Showing -------------------------------------------------------------- */

static void print_answer(FILE *out, const struct rb_answer *answer, const char *input, size_t len)
{
    char shown[RB_ADDRESS_MAX + 1], age[64];

    text_printable(shown, sizeof shown, input, len);
    (void)fprintf(out, "%s: %s (%s)", answer->address[0] != '\0' ? answer->address : shown,
                  rb_verdict_name(answer->verdict), rb_reason_name(answer->reason));
    if (answer->mx[0] != '\0')
        (void)fprintf(out, " %s[%s]", answer->mx, answer->ip);
    if (answer->reply[0] != '\0')
        (void)fprintf(out, " said: %s", answer->reply);
    else if (answer->rule[0] != '\0')
        (void)fprintf(out, " %s", answer->rule);
    if (answer->cached) {
        text_duration(answer->age_s, age, sizeof age);
        (void)fprintf(out, " (cached, %s old)", age);
    }
    (void)fputc('\n', out);
    transcript_print(out, answer->transcript);
}

/* False: out of memory. */
static bool print_json(FILE *out, const struct rb_answer *answer, const char *input, size_t len,
                       bool transcript)
{
    char *shown = malloc(len + 1);
    json_t *object = NULL;
    bool good;

    if (shown != NULL) {
        /* What stands before a NUL must not pass for all of it. */
        for (size_t i = 0; i < len; i++)
            shown[i] = (char)(input[i] != '\0' ? input[i] : '?');
        shown[len] = '\0';
        object = json_answer(answer, shown, transcript);
    }
    good = object != NULL && json_dumpf(object, out, JSON_COMPACT) == 0;
    (void)fputc('\n', out);
    json_decref(object);
    free(shown);
    return good;
}

static char *format_answer(const struct rb_answer *answer, const char *input, size_t len,
                           const void *arg)
{
    const struct request *request = arg;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    bool good = true;

    if (out == NULL)
        return NULL;
    if (request->json)
        good = print_json(out, answer, input, len, request->transcript);
    else
        print_answer(out, answer, input, len);
    if (fclose(out) == 0 && good)
        return text;
    free(text);
    return NULL;
}

/* --- Asking --------------------------------------------------------------- */

static void ask_about(struct batch *batch, const char *input, size_t len,
                      const struct input_place *place)
{
    enum rb_error error = window_add(&batch->window, input, len, place);

    if (error == RB_OK)
        return;
    batch->error = say_line(EX_OSERR, "%s", rb_error_text(error));
}

static bool is_standard_input(const char *address)
{
    return strcmp(address, "-") == 0;
}

/*
 * Asks the next question of standard input or the command line. False: there is none, or not yet.
 */
static bool ask_next(struct batch *batch)
{
    const char *address = *batch->addresses;
    struct input_line line;
    enum input_state state;

    if (address == NULL)
        return false;
    if (!is_standard_input(address)) {
        batch->addresses++;
        ask_about(batch, address, strlen(address), NULL);
        return true;
    }
    state = input_next(&batch->input, &line);
    if (state == INPUT_LINE && line.len > 0 && line.text[0] != '#')
        ask_about(batch, line.text, line.len, &line.end);
    if (state == INPUT_END)
        batch->addresses++;
    if (state == INPUT_ERROR)
        batch->error = say_line(EX_NOINPUT, "standard input cannot be read");
    return state == INPUT_LINE || state == INPUT_END;
}

/* True: there is more to be asked at once. */
static bool ask_some(struct batch *batch)
{
    for (unsigned i = 0; i < READ_AT_ONCE; i++)
        if (batch->error != EX_OK || batch->window.used == WINDOW_MAX || !ask_next(batch))
            return false;
    return true;
}

static void answer_some(struct batch *batch)
{
    const struct window_slot *slot;
    enum rb_error error = window_look(&batch->window);

    if (error != RB_OK)
        batch->error = say_line(EX_OSERR, "%s", rb_error_text(error));
    while (batch->error == EX_OK && (slot = window_oldest(&batch->window)) != NULL) {
        batch->error = list_answer(&batch->list, slot->text, slot->verdict,
                                   slot->is_listed ? &slot->place : NULL);
        window_drop(&batch->window);
    }
}

static bool is_done(const struct batch *batch)
{
    return *batch->addresses == NULL && batch->window.used == 0;
}

/* Until there is something to read, or to look at again. */
static void wait_for_news(const struct batch *batch)
{
    bool reads = *batch->addresses != NULL && batch->window.used < WINDOW_MAX;
    struct pollfd at = {.fd = reads ? batch->input.fd : -1, .events = POLLIN};

    (void)poll(&at, 1, batch->window.used > 0 ? PAUSE_MS : IDLE_MS);
}

static void show_progress(struct batch *batch)
{
    const struct window_slot *awaited = window_awaited(&batch->window);

    list_show(&batch->list, awaited != NULL ? awaited->input : NULL,
              awaited != NULL ? awaited->len : 0);
}

static void verify_them(struct batch *batch)
{
    while (batch->error == EX_OK && stop_signal == 0) {
        bool more = ask_some(batch);

        answer_some(batch);
        show_progress(batch);
        if (is_done(batch))
            break;
        if (!more && batch->error == EX_OK && stop_signal == 0)
            wait_for_news(batch);
    }
    if (batch->error != EX_OK)
        return;
    if (is_done(batch)) /* what asks nothing behind the last address is done with it */
        batch->error = list_pass(&batch->list, &batch->input.place);
    else
        batch->broken = true;
}

/* --- Lists ---------------------------------------------------------------- */

/* What was done in an earlier run. The checksum tells whether it is the same list. */
static void skip_done(struct batch *batch)
{
    const struct input_place *done = &batch->list.done;
    enum input_state state;

    do
        state = input_skip(&batch->input, done->octets);
    while (state == INPUT_LATER && stop_signal == 0);
    batch->broken = state == INPUT_LATER;
    if (state == INPUT_ERROR)
        batch->error = say_line(EX_NOINPUT, "standard input cannot be read");
    else if (state == INPUT_END || (state == INPUT_LINE && batch->input.place.check != done->check))
        batch->error =
            say_line(EX_DATAERR, "--resume: %s: standard input is not the list that was begun",
                     batch->request->resume);
}

/* The first signal ends it in order, the second one at once. */
static void catch_signals(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = note_signal, .sa_flags = (int)SA_RESETHAND}, was;

    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        if (sigaction(signals[i], NULL, &was) == 0 && was.sa_handler != SIG_IGN) /* nohup */
            (void)sigaction(signals[i], &action, NULL);
}

static void say_broken_off(const struct batch *batch)
{
    if (batch->request->resume != NULL)
        (void)say_line(EX_OK, "broken off; the same command goes on from there, as %s has it",
                       batch->request->resume);
    else
        (void)say_line(EX_OK, "broken off");
}

static int exit_status(const struct batch *batch)
{
    if (batch->error != EX_OK)
        return batch->error;
    if (batch->list.counts[RB_VERDICT_INVALID] > 0)
        return EX_NOUSER;
    return batch->list.counts[RB_VERDICT_UNKNOWN] > 0 ? EX_TEMPFAIL : EX_OK;
}

static int verify_all(struct batch *batch)
{
    batch->error = list_begin(&batch->list, batch->request->resume);
    if (batch->error == EX_OK)
        skip_done(batch);
    if (batch->error == EX_OK && !batch->broken)
        verify_them(batch);
    window_fini(&batch->window);
    list_end(&batch->list);
    if (batch->broken)
        say_broken_off(batch);
    return exit_status(batch);
}

static struct batch *new_batch(const struct request *request, struct rb_verifier *verifier,
                               char **addresses)
{
    struct batch *batch = calloc(1, sizeof *batch);

    if (batch == NULL)
        return NULL;
    batch->request = request;
    batch->addresses = addresses;
    batch->window.verifier = verifier;
    batch->window.question = (struct rb_question){
        .relay = request->relay,
        .no_cache = request->no_cache,
        .transcript = request->transcript,
        .message_size = request->message_size,
    };
    batch->window.format = format_answer;
    batch->window.format_arg = request;
    batch->window.pause_ms = WINDOW_PAUSE_MS;
    input_begin(&batch->input, STDIN_FILENO);
    return batch;
}

/* Without a cache to write in (somebody who may not, a host without the daemon), verifying goes on
 * without one. */
static int open_verifier(const struct config *config, struct rb_verifier **verifier)
{
    char detail[300] = "";
    struct rb_options options;
    enum rb_error error;

    config_options(config, &options);
    options.store_owner_fix = true;
    options.greylist.retry = false; /* the daemon's business */
    options.shield.addresses = 0;   /* nobody forges the addresses of a list */
    /* All that is asked at once may wait: no address is told busy for our own haste. */
    if (options.max_pending < WINDOW_UNDER_WAY_MAX)
        options.max_pending = WINDOW_UNDER_WAY_MAX;
    error = rb_verifier_open(&options, verifier, detail, sizeof detail);
    if (error == RB_ERR_STORE) {
        (void)say_line(EX_OK, "warning: without the cache: %s%s", detail, say_hint(errno));
        options.store = NULL;
        error = rb_verifier_open(&options, verifier, detail, sizeof detail);
    }
    if (error == RB_OK)
        return EX_OK;
    return say_line(error == RB_ERR_ARGUMENT ? EX_CONFIG : EX_OSERR, "%s",
                    detail[0] != '\0' ? detail : rb_error_text(error));
}

#define SETS(field, how) SYNTAX_SETS(struct request, field, how)

static const struct syntax_option verify_options[] = {
    SYNTAX_CONFIG(struct request),
    SYNTAX_JSON(struct request),
    {.name = "transcript",
     SETS(transcript, SYNTAX_FLAG),
     .help = "shows the dialogue with each host tried"},
    {.name = "no-cache",
     SETS(no_cache, SYNTAX_FLAG),
     .help = "asks even where the answer is known; keeps the new one"},
    SYNTAX_RELAY(struct request, "asks there, and not at the domain's mail hosts"),
    {.name = "size",
     .value = "OCTETS",
     SETS(message_size, SYNTAX_NUMBER),
     .help = "and whether it takes a message of that size"},
    {.name = "resume",
     .value = "FILE",
     SETS(resume, SYNTAX_TEXT),
     .help = "keeps there how far standard input is done; goes on from there"},
    {0}};

static const struct syntax syntax = {
    .name = "verify",
    .options = verify_options,
    .arguments = "ADDRESS...",
    .arguments_required = true,
    .help = "Asks now whether the addresses' mail hosts would take mail for them, and prints a\n"
            "line each. \"-\" reads addresses from standard input, one a line.\n"
            "Exit status: 0 all valid, 67 some invalid, 75 none invalid and some unknown,\n"
            "64 usage, 65 the file of --resume is not of that list, 73 it cannot be written,\n"
            "74 standard output cannot, 78 configuration.\n",
};

static unsigned count_lists(char *const *addresses)
{
    unsigned count = 0;

    for (; *addresses != NULL; addresses++)
        count += is_standard_input(*addresses);
    return count;
}

/* What no single option tells. -1: go on. */
static int check_request(const struct request *request, unsigned lists)
{
    if (lists > 1)
        return syntax_fail(&syntax, "\"-\" is given twice");
    if (request->resume != NULL && lists == 0)
        return syntax_fail(&syntax, "--resume goes with \"-\"");
    if (request->relay != NULL && !rb_relay_is_good(request->relay))
        return syntax_fail(&syntax, "--relay: \"%s\" is not HOST or HOST:PORT", request->relay);
    if (request->message_size != 0 && request->relay == NULL)
        return syntax_fail(&syntax, "--size goes with --relay");
    return -1;
}

static int verify_addresses(const struct request *request, const struct config *config,
                            char **addresses)
{
    struct rb_verifier *verifier;
    struct batch *batch;
    bool broken;
    int status = open_verifier(config, &verifier);

    if (status != EX_OK)
        return status;
    batch = new_batch(request, verifier, addresses);
    status = batch != NULL ? verify_all(batch) : say_line(EX_OSERR, "out of memory");
    broken = batch != NULL && batch->broken;
    free(batch);
    if (rb_verifier_close(verifier) == RB_ERR_STORE)
        (void)say_line(0, "the cache could not be written: not all that was learned is kept");
    if (broken) /* whoever started us shall see what ended it; the default action is set again */
        (void)raise(stop_signal);
    return status;
}

int verify_run(int argc, char **argv)
{
    struct request request = {0};
    struct config *config;
    char **addresses;
    int status = syntax_parse(&syntax, argc, argv, &request, &addresses);

    if (status < 0)
        status = check_request(&request, count_lists(addresses));
    if (status >= 0)
        return status;
    status = load_config(request.config_path, CONFIG_CALLOUTS, &config);
    if (status != EX_OK)
        return status;
    if (count_lists(addresses) > 0)
        catch_signals();
    status = verify_addresses(&request, config, addresses);
    config_put(config);
    return status;
}
