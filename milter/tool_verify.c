/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tool_verify: `ringback verify`: asks now. Many addresses are asked for in parallel, in bounded
 * memory: a window of questions moves over the input, and answers come out in the input's order.
 */
#include "config.h"

#include "tool.h"
#include "tool_list.h"

#include "text.h"
#include "wire.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum {
    WINDOW = 512,           /* questions asked and not yet answered for */
    LINE_MAX_OCTETS = 4096, /* of standard input; a longer one is no address */
    RATE_PAUSE_MS = 500,
};

static const char help[] =
    "usage: ringback verify [-c FILE] [--json] [--transcript] [--no-cache]\n"
    "                       [--relay HOST[:PORT]] [--resume FILE] ADDRESS...\n"
    "\n"
    "Asks now, and prints a line an address, or with --json an object a line. \"-\" reads "
    "addresses from standard\n"
    "input, one a line.\n"
    "  --transcript    shows the dialogue with each host tried\n"
    "  --no-cache      asks even where the answer is known; keeps the new one\n"
    "  --relay HOST    asks there, and not at the domain's mail hosts\n"
    "  --resume FILE   keeps there how far standard input is done, and goes on from there\n"
    "Exit status: 0 all valid, 67 some invalid, 75 none invalid and some unknown, 64 usage, 78 "
    "configuration,\n"
    "74 the cache cannot be read or written.\n";

struct request {
    const char *config_path, *relay, *resume;
    bool json, transcript, no_cache;
};

/* One question of the window. */
struct slot {
    struct rb_ticket *ticket;
    char *input;
    uint64_t octets; /* of standard input that it took; 0: it stood on the command line */
};

struct batch {
    const struct request *request;
    struct rb_verifier *verifier;
    struct slot slots[WINDOW];
    size_t first, used; /* a ring */
    struct list list;
    int error; /* an exit status that stands above the verdicts; EX_OK: none */
};

/* --- Showing -------------------------------------------------------------- */

static void print_transcript(const struct rb_transcript *transcript)
{
    size_t count = transcript != NULL ? rb_transcript_count(transcript) : 0;

    for (size_t i = 0; i < count; i++) {
        struct rb_transcript_line line = rb_transcript_line(transcript, i);

        printf("  %6lld ms  %s[%s] %c %s\n", (long long)line.t_ms, line.mx, line.ip, line.dir,
               line.text);
    }
}

static void print_answer(const struct rb_answer *answer, const char *input)
{
    char shown[RB_ADDRESS_MAX + 1], age[64];

    text_printable(shown, sizeof shown, input, strlen(input));
    printf("%s: %s (%s)", answer->address[0] != '\0' ? answer->address : shown,
           rb_verdict_name(answer->verdict), rb_reason_name(answer->reason));
    if (answer->mx[0] != '\0')
        printf(" %s[%s]", answer->mx, answer->ip);
    if (answer->reply[0] != '\0')
        printf(" said: %s", answer->reply);
    else if (answer->rule[0] != '\0')
        printf(" %s", answer->rule);
    if (answer->cached) {
        tool_duration(answer->age_s, age, sizeof age);
        printf(" (cached, %s old)", age);
    }
    putchar('\n');
    print_transcript(answer->transcript);
}

/* --- Asking --------------------------------------------------------------- */

static enum rb_error ask_one(const struct batch *batch, const char *input, size_t len,
                             struct rb_ticket **ticket)
{
    const struct request *request = batch->request;
    const struct rb_question question = {
        .address = input,
        .address_len = len,
        .relay = request->relay,
        .no_cache = request->no_cache,
        .transcript = request->transcript,
    };

    return rb_ask(batch->verifier, &question, ticket);
}

/* A list is in no hurry: what a rate forbids now is asked a little later. */
static bool is_over_a_rate(const struct rb_answer *answer)
{
    return answer->reason == RB_REASON_LIMITED && (strcmp(answer->rule, "per_domain_rate") == 0 ||
                                                   strcmp(answer->rule, "global_rate") == 0);
}

static void wait_for_answer(const struct batch *batch, struct slot *slot, struct rb_answer *answer)
{
    const struct timespec pause = {.tv_nsec = RATE_PAUSE_MS * 1000000L};
    struct rb_ticket *again;

    rb_wait(slot->ticket, UINT_MAX, answer);
    while (is_over_a_rate(answer)) {
        (void)nanosleep(&pause, NULL);
        if (ask_one(batch, slot->input, strlen(slot->input), &again) != RB_OK)
            return;
        rb_ticket_free(slot->ticket);
        slot->ticket = again;
        rb_answer_fini(answer);
        rb_wait(slot->ticket, UINT_MAX, answer);
    }
}

/* The oldest question of the window: waits for its answer, however long the callout takes. */
static void collect(struct batch *batch)
{
    struct slot *slot = &batch->slots[batch->first];
    struct rb_answer answer = {0};

    wait_for_answer(batch, slot, &answer);
    batch->list.counts[answer.verdict]++;
    if (batch->request->json)
        tool_print_json(wire_answer(&answer, slot->input, batch->request->transcript));
    else
        print_answer(&answer, slot->input);
    list_done(&batch->list, slot->octets);
    rb_answer_fini(&answer);
    rb_ticket_free(slot->ticket);
    free(slot->input);
    *slot = (struct slot){0};
    batch->first = (batch->first + 1) % WINDOW;
    batch->used--;
}

static void ask(struct batch *batch, const char *input, size_t len, uint64_t octets)
{
    struct slot *slot;
    enum rb_error error;

    while (batch->used == WINDOW)
        collect(batch);
    slot = &batch->slots[(batch->first + batch->used) % WINDOW];
    slot->input = strndup(input, len);
    slot->octets = octets;
    error = slot->input != NULL ? ask_one(batch, input, len, &slot->ticket) : RB_ERR_NOMEM;
    if (error == RB_OK) {
        batch->used++;
        return;
    }
    free(slot->input);
    slot->input = NULL;
    batch->error = tool_fail(error == RB_ERR_ARGUMENT ? EX_USAGE : EX_OSERR, "%s",
                             error == RB_ERR_ARGUMENT ? "--relay: not HOST or HOST:PORT"
                                                      : rb_error_text(error));
}

/*
 * One line of input, whatever is in it. False: nothing is to be asked (blank ones, and what begins with "#").
 */
static bool ask_line(struct batch *batch, const char *line, size_t len, uint64_t octets)
{
    while (len > 0 && strchr(" \t\r\n", line[len - 1]) != NULL && line[len - 1] != '\0')
        len--;
    while (len > 0 && (line[0] == ' ' || line[0] == '\t')) {
        line++;
        len--;
    }
    if (len == 0 || line[0] == '#')
        return false;
    ask(batch, line, len < LINE_MAX_OCTETS ? len : LINE_MAX_OCTETS, octets);
    return true;
}

/* What was done in an earlier run. False: there is less than that, so it is another list. */
static bool skip_done(struct batch *batch)
{
    uint64_t left = batch->list.octets;
    char block[4096];

    while (left > 0) {
        size_t wanted = left < sizeof block ? (size_t)left : sizeof block;

        if (fread(block, 1, wanted, stdin) != wanted)
            return false;
        left -= wanted;
    }
    return true;
}

static void ask_standard_input(struct batch *batch)
{
    uint64_t octets = 0; /* of lines that asked nothing: done with the next one that does */
    bool typed = isatty(STDIN_FILENO);
    char *line = NULL;
    size_t room = 0;
    ssize_t len;

    if (!skip_done(batch))
        batch->error =
            tool_fail(EX_DATAERR, "--resume: standard input is shorter than what was done");
    while (batch->error == EX_OK && (len = getline(&line, &room, stdin)) > 0) {
        octets += (uint64_t)len;
        if (ask_line(batch, line, (size_t)len, octets))
            octets = 0;
        /* Who types wants the answer before the next question; a list has the rest of the window under way meanwhile. */
        while (batch->used > 0 && (typed || rb_ready(batch->slots[batch->first].ticket)))
            collect(batch);
    }
    if (ferror(stdin))
        batch->error = tool_fail(EX_NOINPUT, "standard input cannot be read");
    free(line);
}

static int exit_status(const struct batch *batch)
{
    if (batch->error != EX_OK)
        return batch->error;
    if (batch->list.counts[RB_VERDICT_INVALID] > 0)
        return EX_NOUSER;
    return batch->list.counts[RB_VERDICT_UNKNOWN] > 0 ? EX_TEMPFAIL : EX_OK;
}

static int verify_all(const struct request *request, struct rb_verifier *verifier, char **addresses)
{
    struct batch *batch = calloc(1, sizeof *batch);
    bool kept;
    int status;

    if (batch == NULL)
        return tool_fail(EX_OSERR, "out of memory");
    batch->request = request;
    batch->verifier = verifier;
    if (!list_begin(&batch->list, request->resume)) {
        free(batch);
        return EX_DATAERR;
    }
    for (; *addresses != NULL && batch->error == EX_OK; addresses++) {
        if (strcmp(*addresses, "-") == 0)
            ask_standard_input(batch);
        else
            ask(batch, *addresses, strlen(*addresses), 0);
    }
    while (batch->used > 0)
        collect(batch);
    kept = list_end(&batch->list);
    status = exit_status(batch);
    free(batch);
    return fflush(stdout) == 0 && !ferror(stdout) && kept ? status : EX_IOERR;
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
    /* All of the window may wait: no address is told busy for our own haste. */
    if (options.max_pending < WINDOW)
        options.max_pending = WINDOW;
    error = rb_verifier_open(&options, verifier, detail, sizeof detail);
    if (error == RB_ERR_STORE) {
        (void)tool_fail(EX_OK, "warning: without the cache: %s", detail);
        options.store = NULL;
        error = rb_verifier_open(&options, verifier, detail, sizeof detail);
    }
    if (error == RB_OK)
        return EX_OK;
    return tool_fail(error == RB_ERR_ARGUMENT ? EX_CONFIG : EX_OSERR, "%s",
                     detail[0] != '\0' ? detail : rb_error_text(error));
}

/* -1: go on; otherwise the exit status. */
static int parse(int argc, char **argv, struct request *request)
{
    static const struct option options[] = {{"help", no_argument, NULL, 'h'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"transcript", no_argument, NULL, 't'},
                                            {"no-cache", no_argument, NULL, 'n'},
                                            {"relay", required_argument, NULL, 'r'},
                                            {"resume", required_argument, NULL, 'u'},
                                            {0}};
    int option;

    while ((option = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            request->config_path = optarg;
            break;
        case 'j':
            request->json = true;
            break;
        case 't':
            request->transcript = true;
            break;
        case 'n':
            request->no_cache = true;
            break;
        case 'r':
            request->relay = optarg;
            break;
        case 'u':
            request->resume = optarg;
            break;
        default:
            return tool_help(help, option == 'h');
        }
    }
    return optind < argc ? -1 : tool_help(help, false);
}

int tool_verify(int argc, char **argv)
{
    struct request request = {0};
    struct rb_verifier *verifier;
    struct config *config;
    int status = parse(argc, argv, &request);

    if (status >= 0)
        return status;
    status = tool_load(request.config_path, &config);
    if (status != EX_OK)
        return status;
    status = open_verifier(config, &verifier);
    if (status == EX_OK) {
        status = verify_all(&request, verifier, argv + optind);
        rb_verifier_close(verifier);
    }
    config_put(config);
    return status;
}
