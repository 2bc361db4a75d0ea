/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * verify: an example of libringback(3). Asks about the addresses of its command line, all at once,
 * and prints a line for each as its answer comes.
 *
 *     cc verify.c $(pkg-config --cflags --libs ringback) -lpthread
 *     ./a.out mail.example.org user@example.com postmaster@example.net
 *
 * Exit status: 0 all are valid; 67 one is invalid; 75 none is, and one is unknown; 64 usage; 69 the
 * verifier cannot be opened or asked. C11 and C++17.
 */
#include <pthread.h>
#include <ringback.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int left, invalid, unknown; /* lock */

/* Called by the library when the answer is there, from one of its threads or from rb_ask. */
static void done(void *arg, struct rb_ticket *ticket)
{
    const char *address = (const char *)arg; /* the answer's is "" where it could not be parsed */
    struct rb_answer answer;

    rb_answer_init(&answer);
    (void)rb_wait(ticket, 0, &answer); /* does not wait: it is there */
    rb_ticket_free(ticket);
    printf("%s: %s (%s)%s%s\n", address, rb_verdict_name(answer.verdict),
           rb_reason_name(answer.reason), answer.reply[0] != '\0' ? " said: " : "", answer.reply);
    pthread_mutex_lock(&lock);
    invalid += answer.verdict == RB_VERDICT_INVALID;
    unknown += answer.verdict == RB_VERDICT_UNKNOWN;
    left--;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
    rb_answer_fini(&answer);
}

/* False: it is not asked about, and `done` is not called. */
static bool ask(struct rb_verifier *verifier, char *address)
{
    struct rb_question question;
    struct rb_ticket *ticket;
    enum rb_error error;

    rb_question_init(&question);
    question.address = address;
    question.address_len = strlen(address);
    question.done = done;
    question.done_arg = address;
    pthread_mutex_lock(&lock);
    left++;
    pthread_mutex_unlock(&lock);
    error = rb_ask(verifier, &question, &ticket); /* the ticket is freed in `done` */
    if (error == RB_OK)
        return true;
    fprintf(stderr, "verify: %s: %s\n", address, rb_error_text(error));
    pthread_mutex_lock(&lock);
    left--;
    pthread_mutex_unlock(&lock);
    return false;
}

int main(int argc, char **argv)
{
    struct rb_verifier *verifier;
    struct rb_options options;
    char detail[256];
    bool failed = false;

    if (argc < 3) {
        fprintf(stderr, "usage: %s HELO-NAME ADDRESS...\n", argv[0]);
        return EX_USAGE;
    }
    rb_options_init(
        &options); /* nothing is kept: options.store is "lmdb:/path" where it shall be */
    options.helo_name = argv[1];
    if (rb_verifier_open(&options, &verifier, detail, sizeof detail) != RB_OK) {
        fprintf(stderr, "verify: %s\n", detail);
        return EX_UNAVAILABLE;
    }
    for (int i = 2; i < argc; i++)
        failed = !ask(verifier, argv[i]) || failed;
    pthread_mutex_lock(&lock);
    while (left > 0) /* total_timeout_ms ends each callout */
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    if (rb_verifier_close(verifier) != RB_OK || failed)
        return EX_UNAVAILABLE;
    return invalid > 0 ? EX_NOUSER : unknown > 0 ? EX_TEMPFAIL : EX_OK;
}
