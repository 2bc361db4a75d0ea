/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Unit tests of what the library offers beside answers: the cache shown and forgotten, what is held
 * back, our identity, SPF, events of name servers.
 */
#include "config.h"

#include "check.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>

#include "base/ip.h"
#include "verifier_rig.h"

enum { DNS_MS = 1200 }; /* for a name server that says nothing: a shorter wait would not count */

static const struct fake_dns_answer mx[] = {
    {.type = ns_t_mx, .preference = 10, .data = "mx.example.org"}};
static const struct fake_dns_answer address[] = {{.type = ns_t_a, .data = "127.0.0.1"}};
static const struct fake_dns_answer gone[] = {
    {.type = ns_t_mx, .preference = 10, .data = "gone.example"}};
static const struct fake_dns_answer gone_address[] = {{.type = ns_t_a, .data = "127.0.0.9"}};
static const struct fake_dns_answer strict[] = {
    {.type = ns_t_txt, .data = "v=spf1 ip4:198.51.100.1 -all"}};

static const struct fake_dns_row zone[] = {
    {.name = "mx.example.org", .type = ns_t_a, .answers = address, .count = 1},
    {.name = "example.org", .type = ns_t_mx, .answers = mx, .count = 1},
    {.name = "other.example", .type = ns_t_mx, .answers = mx, .count = 1},
    {.name = "dead.example", .type = ns_t_mx, .answers = gone, .count = 1},
    {.name = "gone.example", .type = ns_t_a, .answers = gone_address, .count = 1},
    {.name = "strict.example", .type = ns_t_txt, .answers = strict, .count = 1},
};

static const struct fake_host_reply users[] = {
    {"user@example.org", "250 2.1.5 Ok"},
    {"user@other.example", "250 2.1.5 Ok"},
    {"grey@example.org", "450 4.7.1 Greylisted, try again in 10 minutes"},
    {"slow@example.org", "450 4.7.1 Greylisted, try again in 20 minutes"},
};

static int set_up(void **state)
{
    static const struct fake_host_options polite = {
        .pipelining = true, .replies = users, .reply_count = COUNT(users)};
    static const struct rig_world world = {
        .zone = zone, .zone_count = COUNT(zone), .host = &polite};

    return rig_set_up(state, &world);
}

/* --- The cache ------------------------------------------------------------- */

struct shown {
    size_t count, most; /* most: how many are enough; 0: all */
    struct rb_answer last;
    char relay[128];
};

static bool show(void *arg, const struct rb_answer *answer, const char *relay)
{
    struct shown *shown = arg;

    assert_true(answer->cached);
    assert_null(answer->transcript);
    shown->last = *answer;
    (void)snprintf(shown->relay, sizeof shown->relay, "%s", relay);
    return ++shown->count != shown->most;
}

static size_t kept(struct rig *f, const char *domain)
{
    struct shown shown = {.most = 0};

    assert_int_equal(rb_verifier_flush(f->verifier), RB_OK);
    assert_int_equal(rb_cache_walk(f->verifier, domain, show, &shown), RB_OK);
    return shown.count;
}

static void fill(struct rig *f)
{
    rig_open(f);
    assert_int_equal(rig_reason_for(f, "user@example.org"), RB_REASON_ACCEPTED);
    assert_int_equal(rig_reason_for(f, "nobody@example.org"), RB_REASON_NO_SUCH_USER);
    assert_int_equal(rig_reason_for(f, "user@other.example"), RB_REASON_ACCEPTED);
}

static void kept_answers_are_shown_by_domain_or_all(void **state)
{
    struct rig *f = *state;
    struct shown shown = {.most = 1};

    fill(f);
    assert_int_equal(kept(f, NULL), 3);
    assert_int_equal(kept(f, "Example.ORG."), 2);
    assert_int_equal(kept(f, "third.example"), 0);
    assert_int_equal(rb_cache_walk(f->verifier, "example.org", show, &shown), RB_OK);
    assert_int_equal(shown.count, 1); /* that was enough */
    assert_string_equal(shown.last.address, "nobody@example.org");
    assert_string_equal(shown.last.domain, "example.org");
    assert_int_equal(shown.last.reason, RB_REASON_NO_SUCH_USER);
    assert_string_equal(shown.relay, "");
    assert_int_equal(rb_cache_walk(f->verifier, "no domain", show, &shown), RB_ERR_ARGUMENT);
}

static void what_is_kept_about_one_address_is_found(void **state)
{
    struct rig *f = *state;
    static const char text[] = "<nobody@Example.ORG>";
    struct shown shown = {.most = 0};

    fill(f);
    assert_int_equal(rb_verifier_flush(f->verifier), RB_OK);
    assert_int_equal(rb_cache_find(f->verifier, text, strlen(text), show, &shown), RB_OK);
    assert_int_equal(shown.count, 1);
    assert_string_equal(shown.last.address, "nobody@example.org");
    assert_int_equal(shown.last.reason, RB_REASON_NO_SUCH_USER);
    assert_true(shown.last.expires_s > 0);
    assert_int_equal(rb_cache_find(f->verifier, "other@example.org", 17, show, &shown), RB_OK);
    assert_int_equal(rb_cache_find(f->verifier, "no address", 10, show, &shown), RB_ERR_ARGUMENT);
    assert_int_equal(shown.count, 1);
}

static void what_is_known_of_a_domain_is_told(void **state)
{
    struct rig *f = *state;
    struct rb_domain_facts facts;

    f->options.catch_all_check = true;
    fill(f);
    assert_int_equal(rig_reason_for(f, "user@never.example"), RB_REASON_NO_DOMAIN);
    assert_int_equal(rb_verifier_flush(f->verifier), RB_OK);
    rb_domain_facts_init(&facts);
    assert_int_equal(rb_cache_facts(f->verifier, "Example.ORG.", &facts), RB_OK);
    assert_true(facts.catch_all.is_known);
    assert_false(facts.catch_all.holds);
    assert_true(facts.catch_all.expires_s > 0);
    assert_int_equal(facts.catch_all.age_s, 0);
    assert_int_equal(rb_cache_facts(f->verifier, "never.example", &facts), RB_OK);
    assert_true(facts.dead.is_known && facts.dead.holds);
    assert_int_equal(facts.dead_reason, RB_REASON_NO_DOMAIN);
    assert_int_equal(rb_cache_facts(f->verifier, "unheard.example", &facts), RB_OK);
    assert_false(facts.dead.is_known || facts.catch_all.is_known);
    assert_int_equal(facts.dead.age_s, -1);
    assert_int_equal(rb_cache_facts(f->verifier, "no domain", &facts), RB_ERR_ARGUMENT);
}

static void what_a_relay_says_is_shown_as_its_word(void **state)
{
    struct rig *f = *state;
    struct rb_question question = rig_question("user@example.org");
    struct shown shown = {.most = 0};
    struct rb_answer answer = {.size = 0};
    char relay[64];

    (void)snprintf(relay, sizeof relay, "127.0.0.1:%u", fake_host_port(f->host));
    question.relay = relay;
    rig_open(f);
    rig_verify(f, &question, &answer);
    assert_int_equal(rb_verifier_flush(f->verifier), RB_OK);
    assert_int_equal(rb_cache_walk(f->verifier, NULL, show, &shown), RB_OK);
    assert_int_equal(shown.count, 1);
    assert_string_equal(shown.relay, relay);
    assert_true(rb_relay_is_good(relay));
    assert_false(rb_relay_is_good("a b"));
}

static void an_address_is_forgotten(void **state)
{
    struct rig *f = *state;
    static const char text[] = "<User@Example.ORG>";
    uint64_t removed;

    fill(f);
    assert_int_equal(rb_cache_delete(f->verifier, text, strlen(text), &removed),
                     RB_ERR_NOT_FOUND); /* the local part's case counts */
    assert_int_equal(removed, 0);
    assert_int_equal(rb_cache_delete(f->verifier, "<user@Example.ORG>", 18, &removed), RB_OK);
    assert_int_equal(removed, 1);
    assert_int_equal(kept(f, "example.org"), 1);
    assert_int_equal(rb_cache_delete(f->verifier, "no address", 10, NULL), RB_ERR_ARGUMENT);
    assert_false(rig_answer_for(f, "user@example.org").cached);
}

static void what_is_shown_can_be_forgotten_by_its_name(void **state)
{
    static const char *const texts[] = {"\"a b\"@example.org", "\"a@b\"@example.org",
                                        "\"\\\"a\\\\\"@example.org", "\"\"@example.org"};
    struct rig *f = *state;
    char key[RB_ADDRESS_MAX + 1];
    struct rb_answer answer = {.size = 0};

    rig_open(f);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        answer = rig_answer_for(f, texts[i]);
        assert_string_equal(answer.address, texts[i]);
        assert_int_equal(rb_address_key(texts[i], strlen(texts[i]), key), RB_OK);
        assert_string_equal(key, texts[i]);
        assert_int_equal(rb_cache_delete(f->verifier, answer.address, strlen(answer.address), NULL),
                         RB_OK);
    }
    assert_int_equal(kept(f, "example.org"), 0);
}

static void a_domain_is_forgotten_with_what_is_known_of_it(void **state)
{
    struct rig *f = *state;
    struct rb_cache_counts counts;
    uint64_t removed;

    fill(f);
    rb_cache_counts_init(&counts);
    assert_int_equal(rb_verifier_flush(f->verifier), RB_OK);
    assert_int_equal(rb_cache_count(f->verifier, &counts), RB_OK);
    assert_int_equal(counts.addresses, 3);
    assert_int_equal(counts.domains, 2);
    assert_true(counts.bytes > 0 && counts.bytes < counts.max_bytes);
    assert_int_equal(rb_cache_delete_domain(f->verifier, "EXAMPLE.org", &removed), RB_OK);
    assert_int_equal(removed, 3); /* two addresses, and that it accepts not all */
    assert_int_equal(kept(f, NULL), 1);
    assert_int_equal(rb_cache_delete_domain(f->verifier, "example.org", &removed),
                     RB_ERR_NOT_FOUND);
    assert_int_equal(rb_cache_delete_domain(f->verifier, "", &removed), RB_ERR_ARGUMENT);
    assert_int_equal(rb_cache_purge(f->verifier, true, &removed), RB_OK);
    assert_int_equal(removed, 0);
    assert_int_equal(rb_cache_purge(f->verifier, false, &removed), RB_OK);
    assert_true(removed >= 2);
    assert_int_equal(kept(f, NULL), 0);
}

static void without_a_store_there_is_nothing_to_show(void **state)
{
    struct rig *f = *state;
    struct rb_cache_counts counts;
    uint64_t removed = 1;

    f->options.store = NULL;
    fill(f);
    rb_cache_counts_init(&counts);
    assert_int_equal(kept(f, NULL), 0);
    assert_int_equal(rb_cache_count(f->verifier, &counts), RB_OK);
    assert_int_equal(counts.addresses, 0);
    assert_int_equal(rb_cache_delete(f->verifier, "user@example.org", 16, &removed),
                     RB_ERR_NOT_FOUND);
    assert_int_equal(rb_cache_purge(f->verifier, false, &removed), RB_OK);
    assert_int_equal(removed, 0);
}

static void an_address_has_one_canonical_form(void **state)
{
    static const char text[] = "<@route.example:\"user\"@Example.ORG.>";
    char key[RB_ADDRESS_MAX + 1];

    (void)state;
    assert_int_equal(rb_address_key(text, strlen(text), key), RB_OK);
    assert_string_equal(key, "user@example.org");
    assert_int_equal(rb_address_key("no address", 10, key), RB_ERR_ARGUMENT);
    assert_string_equal(key, "");
    assert_int_equal(rb_address_key("<>", 2, key), RB_ERR_ARGUMENT);
}

/* --- What is held back ----------------------------------------------------- */

struct held {
    size_t count;
    struct rb_held_back last;
    char what[256];
};

static bool note_held(void *arg, const struct rb_held_back *held)
{
    struct held *noted = arg;

    noted->count++;
    noted->last = *held;
    (void)snprintf(noted->what, sizeof noted->what, "%s", held->what);
    return true;
}

static struct held held_back(struct rig *f)
{
    struct held held = {.count = 0};

    assert_int_equal(rb_verifier_flush(f->verifier), RB_OK);
    assert_int_equal(rb_held_back_walk(f->verifier, note_held, &held), RB_OK);
    return held;
}

static void a_host_that_failed_is_held_back(void **state)
{
    struct rig *f = *state;
    struct held held;

    f->options.breaker_failures = 1;
    f->options.breaker_hold_s = 600;
    rig_open(f);
    assert_int_equal(held_back(f).count, 0);
    assert_int_equal(rig_reason_for(f, "user@dead.example"), RB_REASON_UNREACHABLE);
    held = held_back(f);
    assert_int_equal(held.count, 1);
    assert_int_equal(held.last.by, RB_LIMIT_HOST);
    assert_string_equal(held.what, "127.0.0.9");
    assert_int_equal(held.last.left_ms, 600 * 1000);
    assert_int_equal(held.last.failures, 1);
    assert_int_equal(held.last.trips, 1);
    assert_int_equal(held.last.reason, RB_REASON_UNREACHABLE);
    assert_int_equal(held.last.until_s - held.last.failed_s, 600);
    fake_clock_advance_s(&f->clock, 600);
    assert_int_equal(held_back(f).count, 0);
}

static void a_rate_that_is_used_up_is_told(void **state)
{
    struct rig *f = *state;
    struct held held;

    f->options.per_domain_rate = (struct rb_rate){1, 60};
    rig_open(f);
    assert_int_equal(rig_reason_for(f, "user@example.org"), RB_REASON_ACCEPTED);
    held = held_back(f);
    assert_int_equal(held.count, 1);
    assert_int_equal(held.last.by, RB_LIMIT_DOMAIN_RATE);
    assert_string_equal(held.what, "example.org");
    assert_true(held.last.left_ms > 0 && held.last.left_ms <= 60 * 1000);
}

/* --- Who is who ------------------------------------------------------------ */

static void note_warning(void *arg, const char *text)
{
    char *first = arg;

    if (first[0] == '\0')
        (void)snprintf(first, 200, "%s", text);
}

static void a_name_that_resolves_to_nothing_is_warned_of(void **state)
{
    struct rig *f = *state;
    char warning[200] = "";

    rig_open(f);
    rb_check_identity(f->verifier, rig_until(RIG_PATIENCE_MS), note_warning, warning);
    assert_non_null(strstr(warning, "probe.example.net"));
}

static void a_host_has_the_addresses_of_its_name(void **state)
{
    static const struct {
        const char *host, *address; /* NULL: none */
    } table[] = {
        {"mx.example.org", "127.0.0.1"},
        {"MX.Example.ORG", "127.0.0.1"},
        {"192.0.2.7", "192.0.2.7"},
        {"2001:db8::7", "2001:db8::7"},
        {"nowhere.example", NULL},
        {"example.org", NULL},
        {"a b", NULL},
        {"", NULL},
    };
    struct sockaddr_storage found[2];
    struct rig *f = *state;
    struct ip ip;

    rig_open(f);
    for (size_t i = 0; i < COUNT(table); i++) {
        char text[INET6_ADDRSTRLEN] = "";
        const size_t count = rb_host_addresses(f->verifier, table[i].host,
                                               rig_until(RIG_PATIENCE_MS), found, COUNT(found));

        print_message("# %s\n", table[i].host);
        assert_int_equal(count, table[i].address != NULL);
        if (count == 0)
            continue;
        assert_true(ip_from_sockaddr((const struct sockaddr *)&found[0], &ip));
        ip_text(&ip, text);
        assert_string_equal(text, table[i].address);
    }
    assert_int_equal(
        rb_host_addresses(f->verifier, "192.0.2.7", rig_until(RIG_PATIENCE_MS), found, 0), 0);
}

static struct rb_spf_answer spf(struct rig *f, const char *ip, const char *sender, const char *helo)
{
    struct sockaddr_in client = {.sin_family = AF_INET};
    struct rb_spf_question question;
    struct rb_spf_answer answer;

    assert_int_equal(inet_pton(AF_INET, ip, &client.sin_addr), 1);
    rb_spf_question_init(&question);
    question.client = (const struct sockaddr *)&client;
    question.sender = sender;
    question.sender_len = strlen(sender);
    question.helo = helo;
    rb_spf_answer_init(&answer);
    assert_int_equal(rb_spf_check(f->verifier, &question, rig_until(RIG_PATIENCE_MS), &answer),
                     RB_OK);
    return answer;
}

static void a_domain_says_by_which_term_who_may_send(void **state)
{
    static const struct {
        const char *ip, *sender, *helo;
        enum rb_spf_result result;
        const char *term;
    } table[] = {
        {"198.51.100.1", "user@strict.example", NULL, RB_SPF_PASS, "ip4:198.51.100.1"},
        {"203.0.113.9", "user@strict.example", NULL, RB_SPF_FAIL, "-all"},
        {"203.0.113.9", "", "strict.example", RB_SPF_FAIL, "-all"},
        {"203.0.113.9", "no address@strict.example", NULL, RB_SPF_FAIL, "-all"},
        {"203.0.113.9", "user@example.org", NULL, RB_SPF_NONE, ""},
    };
    struct rig *f = *state;

    rig_open(f);
    for (size_t i = 0; i < COUNT(table); i++) {
        const struct rb_spf_answer answer = spf(f, table[i].ip, table[i].sender, table[i].helo);

        assert_int_equal(answer.result, table[i].result);
        assert_string_equal(answer.term, table[i].term);
        assert_null(answer.fault);
    }
    assert_string_equal(spf(f, "203.0.113.9", "", "strict.example").sender_domain,
                        "strict.example");
    assert_string_equal(rb_spf_name(RB_SPF_SOFTFAIL), "softfail");
}

static void what_the_gate_makes_of_it_is_told(void **state)
{
    static const struct {
        enum rb_gate position;
        const char *ip, *sender;
        enum rb_reason held_back;
    } table[] = {
        {RB_GATE_NO, "203.0.113.9", "user@strict.example", RB_REASON_NONE},
        {RB_GATE_FAIL, "203.0.113.9", "user@strict.example", RB_REASON_SPF_FAIL},
        {RB_GATE_SOFTFAIL, "203.0.113.9", "user@example.org", RB_REASON_NONE},
        {RB_GATE_VOUCHED, "203.0.113.9", "user@example.org", RB_REASON_NOT_VOUCHED},
        {RB_GATE_VOUCHED, "198.51.100.1", "user@strict.example", RB_REASON_NONE},
    };
    struct rig *f = *state;

    rig_open(f);
    for (size_t i = 0; i < COUNT(table); i++) {
        f->options.spf_gate = table[i].position;
        rig_reload(f);
        assert_int_equal(spf(f, table[i].ip, table[i].sender, NULL).held_back, table[i].held_back);
    }
}

static void without_a_client_or_a_domain_spf_is_not_asked(void **state)
{
    struct rig *f = *state;
    struct sockaddr_in client = {.sin_family = AF_INET};
    struct rb_spf_question question;
    struct rb_spf_answer answer;

    rig_open(f);
    rb_spf_question_init(&question);
    rb_spf_answer_init(&answer);
    question.sender = "<>";
    question.sender_len = 2;
    assert_int_equal(rb_spf_check(f->verifier, &question, 0, &answer), RB_ERR_ARGUMENT);
    question.client = (const struct sockaddr *)&client;
    assert_int_equal(rb_spf_check(f->verifier, &question, 0, &answer), RB_ERR_ARGUMENT);
}

/* --- Being told ------------------------------------------------------------ */

struct told {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned count; /* lock */
    enum rb_reason reason;
};

static void note_answer(void *arg, struct rb_ticket *ticket)
{
    struct told *told = arg;
    struct rb_answer answer = {.size = 0};

    rb_answer_init(&answer);
    assert_int_equal(rb_wait(ticket, 0, &answer), RB_OK);
    rb_ticket_free(ticket);
    pthread_mutex_lock(&told->lock);
    told->reason = answer.reason;
    told->count++;
    pthread_cond_signal(&told->changed);
    pthread_mutex_unlock(&told->lock);
    rb_answer_fini(&answer);
}

static void ask_to_be_told(struct rig *f, const char *text, struct told *told)
{
    struct rb_question question;
    struct rb_ticket *ticket;

    rb_question_init(&question);
    question.address = text;
    question.address_len = strlen(text);
    question.done = note_answer;
    question.done_arg = told;
    assert_int_equal(rb_ask(f->verifier, &question, &ticket), RB_OK);
}

static enum rb_reason await(struct told *told, unsigned count)
{
    enum rb_reason reason;

    pthread_mutex_lock(&told->lock);
    while (told->count < count)
        pthread_cond_wait(&told->changed, &told->lock);
    assert_int_equal(told->count, count);
    reason = told->reason;
    pthread_mutex_unlock(&told->lock);
    return reason;
}

/* Whoever frees each ticket in the call may close when the last has been made. */
static void the_answer_is_told_of_wherever_it_comes_from(void **state)
{
    struct rig *f = *state;
    struct told told = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

    rig_open(f);
    ask_to_be_told(f, "no address", &told);
    assert_int_equal(told.count, 1); /* at once */
    assert_int_equal(await(&told, 1), RB_REASON_BAD_ADDRESS);
    ask_to_be_told(f, "user@example.org", &told);
    assert_int_equal(await(&told, 2), RB_REASON_ACCEPTED);
    ask_to_be_told(f, "user@example.org", &told); /* in the cache */
    assert_int_equal(await(&told, 3), RB_REASON_ACCEPTED);
    assert_int_equal(rb_verifier_close(f->verifier), RB_OK);
    f->verifier = NULL;
}

static void whoever_waits_in_the_call_is_not_told_besides(void **state)
{
    struct rig *f = *state;
    struct told told = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    struct rb_question question = rig_question("user@example.org");
    struct rb_answer answer = {.size = 0};

    question.size = sizeof question;
    question.done = note_answer;
    question.done_arg = &told;
    rig_open(f);
    rig_verify(f, &question, &answer);
    assert_int_equal(answer.reason, RB_REASON_ACCEPTED);
    assert_int_equal(told.count, 0);
}

/* --- Events ---------------------------------------------------------------- */

struct heard {
    enum rb_event last;
    unsigned count;
};

static void hear(void *arg, enum rb_event event, const char *text)
{
    struct heard *heard = arg;

    assert_true(strlen(text) > 0);
    heard->last = event;
    heard->count++;
}

/* The name server is asked about something that is not remembered. */
static void ask_dns(struct rig *f, const char *sender)
{
    struct sockaddr_in client = {.sin_family = AF_INET};
    const struct rb_spf_question question = {.size = sizeof question,
                                             .client = (const struct sockaddr *)&client,
                                             .sender = sender,
                                             .sender_len = strlen(sender)};
    struct rb_spf_answer answer;

    rb_spf_answer_init(&answer);
    assert_int_equal(rb_spf_check(f->verifier, &question, rig_until(DNS_MS), &answer), RB_OK);
}

static void that_name_servers_are_silent_and_answer_again_is_told(void **state)
{
    struct rig *f = *state;
    struct heard heard = {.count = 0};

    f->options.observer = (struct rb_observer){.event = hear, .arg = &heard};
    rig_open(f);
    f->options.observer.event = NULL; /* as of open */
    rig_reload(f);
    fake_dns_hold(f->dns, true);
    ask_dns(f, "u@one.example");
    assert_int_equal(heard.count, 0);
    fake_clock_advance_s(&f->clock, 40);
    ask_dns(f, "u@two.example");
    assert_int_equal(heard.count, 1);
    assert_int_equal(heard.last, RB_EVENT_DNS_SILENT);
    rig_reload(f); /* another resolver: whoever was told hears of its answer all the same */
    fake_dns_hold(f->dns, false);
    fake_clock_advance_s(&f->clock, 3600);
    ask_dns(f, "u@three.example");
    assert_int_equal(heard.count, 2);
    assert_int_equal(heard.last, RB_EVENT_DNS_ANSWERS);
}

/* --- Health ---------------------------------------------------------------- */

static struct rb_health health_of(struct rig *f)
{
    struct rb_health health;

    rb_health_init(&health);
    rb_verifier_health(f->verifier, &health);
    return health;
}

static unsigned asked_again(struct rig *f)
{
    return fake_dns_asked_udp(f->dns, "a.root-servers.net", ns_t_a);
}

static void a_verifier_that_has_asked_nobody_is_healthy(void **state)
{
    struct rig *f = *state;

    rig_open(f);
    const struct rb_health health = health_of(f);
    assert_false(health.dns_is_silent);
    assert_int_equal(health.dns_silent_ms, 0);
    assert_int_equal(health.name_servers, 1);
    assert_int_equal(health.name_servers_silent, 0);
    assert_false(health.store_is_lost);
    assert_false(health.writes_are_lost);
    ask_dns(f, "u@one.example");
    (void)health_of(f);
    assert_int_equal(asked_again(f), 0);
}

static void name_servers_that_were_silent_are_asked_again_though_nobody_has_a_question(void **state)
{
    struct rig *f = *state;
    struct rb_health health;

    rig_open(f);
    fake_dns_hold(f->dns, true);
    ask_dns(f, "u@one.example");
    fake_clock_advance_s(&f->clock, 40);
    ask_dns(f, "u@two.example");
    health = health_of(f);
    assert_true(health.dns_is_silent);
    assert_true(health.dns_silent_ms >= 40000);
    assert_int_equal(health.name_servers_silent, 1);
    fake_dns_hold(f->dns, false);
    for (int i = 0; i < RIG_PATIENCE_MS && health.dns_is_silent; i++) {
        check_pause();
        fake_clock_advance_s(&f->clock, 1); /* one look-up may have been lost with the rest */
        health = health_of(f);
    }
    assert_false(health.dns_is_silent);
    assert_int_equal(health.dns_silent_ms, 0);
    assert_int_equal(health.name_servers_silent, 0);
    assert_true(asked_again(f) > 0);
}

/* --- What is asked again ----------------------------------------------------- */

struct seen {
    size_t count, most;
    struct {
        char address[64], host[46];
        int64_t first_s, due_s;
        unsigned tries;
        enum rb_reason reason;
        bool is_ours;
    } retry[4];
};

static bool see(void *arg, const struct rb_retry *retry)
{
    struct seen *seen = arg;

    assert_true(seen->count < COUNT(seen->retry));
    (void)snprintf(seen->retry[seen->count].address, 64, "%s", retry->address);
    (void)snprintf(seen->retry[seen->count].host, 46, "%s", retry->host);
    seen->retry[seen->count].first_s = retry->first_s;
    seen->retry[seen->count].due_s = retry->due_s;
    seen->retry[seen->count].tries = retry->tries;
    seen->retry[seen->count].reason = retry->reason;
    seen->retry[seen->count].is_ours = retry->is_ours;
    return ++seen->count != seen->most;
}

static void what_will_be_asked_again_is_shown_the_next_first(void **state)
{
    struct rig *f = *state;
    struct seen seen = {.count = 0}, first = {.most = 1};

    f->options.greylist.retry = true;
    rig_open(f);
    assert_int_equal(rb_retries_walk(f->verifier, see, &seen), RB_OK);
    assert_int_equal(seen.count, 0);
    assert_int_equal(rig_reason_for(f, "slow@example.org"), RB_REASON_GREYLISTED);
    assert_int_equal(rig_reason_for(f, "grey@example.org"), RB_REASON_GREYLISTED);
    rig_await_retries(f, 2);
    assert_int_equal(rb_retries_walk(f->verifier, see, &seen), RB_OK);
    assert_int_equal(seen.count, 2);
    assert_string_equal(seen.retry[0].address, "grey@example.org");
    assert_string_equal(seen.retry[0].host, "127.0.0.1");
    assert_int_equal(seen.retry[0].reason, RB_REASON_GREYLISTED);
    assert_int_equal(seen.retry[0].tries, 0);
    assert_true(seen.retry[0].is_ours);
    assert_true(seen.retry[0].due_s - seen.retry[0].first_s >= 600);
    assert_string_equal(seen.retry[1].address, "slow@example.org");
    assert_true(seen.retry[1].due_s > seen.retry[0].due_s);
    assert_int_equal(rb_retries_walk(f->verifier, see, &first), RB_OK);
    assert_int_equal(first.count, 1); /* that was enough */
}

/* --- How long callouts took -------------------------------------------------- */

static void how_long_callouts_took_is_counted_with_them(void **state)
{
    struct rig *f = *state;
    struct rb_durations durations;
    uint64_t sum = 0;

    rb_durations_init(&durations);
    rig_open(f);
    assert_int_equal(rig_reason_for(f, "user@example.org"), RB_REASON_ACCEPTED);
    assert_int_equal(rig_reason_for(f, "user@example.org"), RB_REASON_ACCEPTED); /* known */
    rig_hold(f, true);
    struct rb_ticket *ticket = rig_ask(f, "nobody@example.org");
    for (int i = 0; i < RIG_PATIENCE_MS && rig_rcpts(f) < 2; i++)
        check_pause();
    fake_clock_advance_s(&f->clock, 4);
    rig_hold(f, false);
    assert_int_equal(rig_outcome(ticket), RB_REASON_NO_SUCH_USER);
    rb_callout_durations(f->verifier, &durations);
    assert_int_equal(durations.total, 2);
    assert_int_equal(durations.sum_ms, 4000);
    assert_true(durations.buckets > 1 && durations.buckets <= RB_DURATION_BUCKETS);
    assert_int_equal(durations.bound_ms[durations.buckets - 1], -1);
    assert_int_equal(durations.count[0], 1);
    for (size_t i = 0; i < durations.buckets; i++) {
        if (durations.bound_ms[i] == 5000)
            assert_int_equal(durations.count[i], 1);
        sum += durations.count[i];
    }
    assert_int_equal(sum, durations.total);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, rig_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(kept_answers_are_shown_by_domain_or_all),
        TEST(what_is_kept_about_one_address_is_found),
        TEST(what_is_known_of_a_domain_is_told),
        TEST(what_a_relay_says_is_shown_as_its_word),
        TEST(an_address_is_forgotten),
        TEST(what_is_shown_can_be_forgotten_by_its_name),
        TEST(a_domain_is_forgotten_with_what_is_known_of_it),
        TEST(without_a_store_there_is_nothing_to_show),
        TEST(an_address_has_one_canonical_form),
        TEST(a_host_that_failed_is_held_back),
        TEST(a_rate_that_is_used_up_is_told),
        TEST(a_name_that_resolves_to_nothing_is_warned_of),
        TEST(a_host_has_the_addresses_of_its_name),
        TEST(a_domain_says_by_which_term_who_may_send),
        TEST(what_the_gate_makes_of_it_is_told),
        TEST(without_a_client_or_a_domain_spf_is_not_asked),
        TEST(the_answer_is_told_of_wherever_it_comes_from),
        TEST(whoever_waits_in_the_call_is_not_told_besides),
        TEST(that_name_servers_are_silent_and_answer_again_is_told),
        TEST(a_verifier_that_has_asked_nobody_is_healthy),
        TEST(name_servers_that_were_silent_are_asked_again_though_nobody_has_a_question),
        TEST(what_will_be_asked_again_is_shown_the_next_first),
        TEST(how_long_callouts_took_is_counted_with_them),
    };

    return cmocka_run_group_tests_name("inspect", tests, NULL, NULL);
}
