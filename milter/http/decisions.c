/* SPDX-License-Identifier: BSD-2-Clause */
/* decisions: see decisions.h. */
#include "config.h"

#include "http/decisions.h"

#include <string.h>

#include "base/text.h"
#include "http/html.h"
#include "http/words.h"

/* --- Which are wanted ------------------------------------------------------- */

static bool has_part(const char *text, const char *part)
{
    const size_t len = strlen(text), part_len = strlen(part);

    for (size_t at = 0; at + part_len <= len; at++)
        if (text_same_letters(text + at, part, part_len))
            return true;
    return false;
}

static bool is_address(const char *text, const char *key)
{
    char own[RB_ADDRESS_MAX + 1];

    return rb_address_key(text, strlen(text), own) == RB_OK && strcmp(own, key) == 0;
}

bool decisions_is_wanted(const struct decisions_filter *filter,
                         const struct history_decision *decision)
{
    if (filter->verdict[0] != '\0' &&
        strcmp(history_kind_name(decision->kind), filter->verdict) != 0)
        return false;
    if (!has_part(decision->address, filter->address) &&
        !has_part(decision->other, filter->address))
        return false;
    if (filter->key != NULL && !is_address(decision->address, filter->key) &&
        !is_address(decision->other, filter->key))
        return false;
    return has_part(decision->client, filter->client) || has_part(decision->helo, filter->client);
}

/* --- One of them ------------------------------------------------------------ */

static const char *verdict_word(const struct history_decision *decision)
{
    return decision->of == OF_CLIENT ? rb_client_result_name(decision->result)
                                     : history_kind_name(decision->kind);
}

static const char *meaning(const struct history_decision *decision)
{
    if (decision->of == OF_CLIENT)
        return words_of_client(decision->result);
    if (decision->exemption != EXEMPT_NOT)
        return words_of_exemption(decision->exemption);
    return words_of_reason(decision->reason);
}

static void write_when(FILE *out, const struct history_decision *decision, int64_t now_s)
{
    html_markup(out, "<td role=\"cell\" class=\"when\">");
    html_time(out, decision->decided_s, now_s);
    html_markup(out, "</td>");
}

static void write_verdict(FILE *out, const struct history_decision *decision)
{
    html_markup(out, "<td role=\"cell\" class=\"verdict\"><span class=\"pill ");
    html_text(out, history_kind_name(decision->kind));
    html_markup(out, "\">");
    html_text(out, verdict_word(decision));
    html_markup(out, "</span> <span class=\"action ");
    html_text(out, action_name(decision->action));
    html_markup(out, "\">");
    html_text(out, words_of_action(decision->action));
    html_markup(out, "</span>");
    if (decision->wanted != decision->action) {
        html_markup(out, " <span class=\"action\">(would be ");
        html_text(out, words_of_action(decision->wanted));
        html_markup(out, ")</span>");
    }
    html_markup(out, "</td>");
}

/* An address, which can be asked about, or a client's name. */
static void write_subject(FILE *out, const struct history_decision *decision)
{
    if (decision->of == OF_CLIENT || decision->address[0] == '\0') {
        html_markup(out, "<span class=\"address\">");
        html_stranger(out, decision->address[0] != '\0' ? decision->address : "<>");
        html_markup(out, "</span>");
        return;
    }
    html_markup(out, "<a class=\"address\" href=\"/why?");
    html_query(out, "address", decision->address);
    html_markup(out, "\">");
    html_stranger(out, decision->address);
    html_markup(out, "</a>");
}

static const char *role(const struct history_decision *decision)
{
    static const char *const roles[] = {
        [OF_SENDER] = "", [OF_RECIPIENT] = "recipient", [OF_CLIENT] = "client"};

    return decision->of == OF_HEADER ? decision->field : roles[decision->of];
}

static void write_other(FILE *out, const struct history_decision *decision)
{
    if (decision->other[0] == '\0')
        return;
    html_markup(out, "<span class=\"more\">");
    html_text(out, decision->of == OF_RECIPIENT ? "from " : "to ");
    html_stranger(out, decision->other);
    html_markup(out, "</span>");
}

static void write_client(FILE *out, const struct history_decision *decision)
{
    html_markup(out, "<span class=\"more\">");
    html_stranger(out, decision->client);
    if (decision->helo[0] != '\0') {
        html_markup(out, " ");
        html_stranger(out, decision->helo);
    }
    html_markup(out, "</span>");
}

static void write_who(FILE *out, const struct history_decision *decision)
{
    html_markup(out, "<td role=\"cell\" class=\"who\">");
    if (role(decision)[0] != '\0')
        html_element(out, "span", "role", role(decision));
    write_subject(out, decision);
    write_other(out, decision);
    write_client(out, decision);
    html_markup(out, "</td>");
}

/* Who said what: the host's own words. */
static void write_reply(FILE *out, const struct history_decision *decision)
{
    if (decision->reply[0] == '\0')
        return;
    html_markup(out, "<q class=\"said\">");
    html_stranger(out, decision->reply);
    html_markup(out, "</q>");
}

static void write_fact(FILE *out, const char *name, const char *value)
{
    if (value[0] == '\0')
        return;
    html_markup(out, " · ");
    html_text(out, name);
    html_markup(out, "&nbsp;");
    html_stranger(out, value);
}

static void write_host(FILE *out, const struct history_decision *decision)
{
    if (decision->mx[0] == '\0' && decision->ip[0] == '\0')
        return;
    html_markup(out, " · ");
    html_stranger(out, decision->mx[0] != '\0' ? decision->mx : decision->ip);
}

static void write_facts(FILE *out, const struct history_decision *decision)
{
    html_markup(out, "<span class=\"more\">");
    html_text(out, decision->exemption != EXEMPT_NOT ? "exempt"
                   : decision->of == OF_CLIENT       ? "connect back"
                                                     : rb_reason_name(decision->reason));
    write_fact(out, "rule", decision->rule);
    write_host(out, decision);
    if (decision->exemption == EXEMPT_NOT && decision->cached)
        html_text(out, " · from the cache");
    if (decision->waited_ms > 0) {
        html_text(out, " · waited ");
        html_wait(out, decision->waited_ms);
    }
    write_fact(out, "policy", decision->policy);
    write_fact(out, "queue", decision->queue_id);
    if (decision->voucher != RB_VOUCHER_NOBODY)
        write_fact(out, "vouched by", rb_voucher_name(decision->voucher));
    html_markup(out, "</span>");
}

static void write_why(FILE *out, const struct history_decision *decision)
{
    html_markup(out, "<td role=\"cell\" class=\"why\">");
    html_element(out, "span", "meaning", meaning(decision));
    write_reply(out, decision);
    write_facts(out, decision);
    html_markup(out, "</td>");
}

static void write_row(FILE *out, const struct history_decision *decision, int64_t now_s)
{
    html_markup(out, "<tr role=\"row\">");
    write_when(out, decision, now_s);
    write_verdict(out, decision);
    write_who(out, decision);
    write_why(out, decision);
    html_markup(out, "</tr>\n");
}

/* --- All of them ------------------------------------------------------------ */

struct listing {
    FILE *out; /* NULL: they are only counted */
    const struct decisions_filter *filter;
    int64_t now_s;
    unsigned found, all;
};

static bool list(void *arg, const struct history_decision *decision)
{
    struct listing *listing = arg;

    listing->all++;
    if (!decisions_is_wanted(listing->filter, decision))
        return true;
    listing->found++;
    if (listing->out != NULL)
        write_row(listing->out, decision, listing->now_s);
    return true;
}

unsigned decisions_write_table(FILE *out, const struct decisions_filter *filter, int64_t now_s)
{
    struct listing listing = {.out = out, .filter = filter, .now_s = now_s};

    html_markup(out, "<table class=\"decisions\" role=\"table\"><thead role=\"rowgroup\">"
                     "<tr role=\"row\"><th role=\"columnheader\" scope=\"col\">When</th>"
                     "<th role=\"columnheader\" scope=\"col\">Verdict</th>"
                     "<th role=\"columnheader\" scope=\"col\">Who</th>"
                     "<th role=\"columnheader\" scope=\"col\">Why</th></tr></thead>"
                     "<tbody role=\"rowgroup\">\n");
    history_walk(list, &listing);
    html_markup(out, "</tbody></table>");
    return listing.found;
}

static void write_option(FILE *out, const char *value, const char *text, const char *chosen)
{
    html_markup(out, "<option");
    html_attribute(out, "value", value);
    if (strcmp(value, chosen) == 0)
        html_markup(out, " selected");
    html_markup(out, ">");
    html_text(out, text);
    html_markup(out, "</option>");
}

static void write_field(FILE *out, const char *name, const char *title, const char *value)
{
    html_markup(out, "<label>");
    html_text(out, title);
    html_markup(out, " <input type=\"search\" autocomplete=\"off\" spellcheck=\"false\" "
                     "autocapitalize=\"off\"");
    html_attribute(out, "name", name);
    html_attribute(out, "id", name);
    html_attribute(out, "value", value);
    html_markup(out, "></label>");
}

static void write_form(FILE *out, const struct decisions_filter *filter)
{
    html_markup(out, "<form class=\"filter\" method=\"get\" action=\"/#decisions\" "
                     "aria-label=\"Filter of decisions\">");
    write_field(out, "address", "Address", filter->address);
    write_field(out, "client", "Client", filter->client);
    html_markup(out, "<label>Verdict <select name=\"verdict\" id=\"verdict\">");
    write_option(out, "", "any", filter->verdict);
    for (unsigned kind = 0; kind < HISTORY_KINDS; kind++) {
        const char *name = history_kind_name((enum history_kind)kind);

        write_option(out, name, name, filter->verdict);
    }
    html_markup(out, "</select></label><button>Show</button> "
                     "<a class=\"clear\" href=\"/#decisions\">Show all</a></form>");
}

static bool is_filtered(const struct decisions_filter *filter)
{
    return filter->address[0] != '\0' || filter->client[0] != '\0' || filter->verdict[0] != '\0';
}

static void write_found(FILE *out, const struct decisions_filter *filter)
{
    struct listing listing = {.filter = filter};

    history_walk(list, &listing);
    html_markup(out, "<p class=\"found\" id=\"found\" data-live role=\"status\">");
    if (listing.all == 0) {
        html_text(out, "Nothing has been decided yet. The first mail will show up here.");
    } else if (is_filtered(filter)) {
        html_number(out, listing.found);
        html_text(out, " of the last ");
        html_count(out, listing.all, "decision", "decisions");
    } else {
        html_text(out, "The last ");
        html_count(out, listing.all, "decision", "decisions");
    }
    html_markup(out, "</p>");
}

void decisions_write(FILE *out, const struct decisions_filter *filter, int64_t now_s)
{
    html_markup(out, "<section id=\"decisions\" aria-labelledby=\"decisions-title\">"
                     "<h2 id=\"decisions-title\">Decisions</h2>");
    write_form(out, filter);
    write_found(out, filter);
    html_markup(out, "<div id=\"rows\" data-live>");
    (void)decisions_write_table(out, filter, now_s);
    html_markup(out, "</div></section>");
}
