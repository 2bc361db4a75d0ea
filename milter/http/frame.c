/* SPDX-License-Identifier: BSD-2-Clause */
/* frame: see frame.h. What changes by itself is in elements with data-live: script.js renews them. */
#include "config.h"

#include "http/frame.h"

#include <time.h>

#include "daemon/service.h"
#include "http/html.h"

int64_t frame_now_s(void)
{
    return time(NULL);
}

static void write_head(FILE *out, const struct config *config, enum frame_page page)
{
    html_markup(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                     "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
                     "<meta name=\"color-scheme\" content=\"light dark\">"
                     "<meta name=\"robots\" content=\"noindex\"><title>");
    html_text(out, page == FRAME_WHY ? "Why? · Ringback · " : "Ringback · ");
    html_text(out, config->hostname);
    html_markup(out, "</title><link rel=\"stylesheet\" href=\"/style.css\">"
                     "<link rel=\"icon\" href=\"data:,\">"
                     "<script src=\"/script.js\" defer></script></head>\n");
}

static void write_link(FILE *out, const char *path, const char *name, bool is_here)
{
    html_markup(out, "<li><a");
    html_attribute(out, "href", path);
    if (is_here)
        html_markup(out, " aria-current=\"page\"");
    html_markup(out, ">");
    html_text(out, name);
    html_markup(out, "</a></li>");
}

static void write_question(FILE *out, const char *address)
{
    html_markup(out, "<form class=\"ask\" action=\"/why\" method=\"get\" role=\"search\">"
                     "<label for=\"ask\">Why was this sender refused?</label>"
                     "<input id=\"ask\" name=\"address\" type=\"search\" required "
                     "autocomplete=\"off\" spellcheck=\"false\" autocapitalize=\"off\" "
                     "placeholder=\"user@example.org\"");
    html_attribute(out, "value", address);
    html_markup(out, "><button>Ask</button></form>");
}

static void write_mode(FILE *out, const struct config *config)
{
    html_markup(out, "<p class=\"facts\" id=\"facts\" data-live>");
    html_element(out, "span", "host", config->hostname);
    html_text(out, " · version ");
    html_text(out, PACKAGE_VERSION);
    html_text(out, " · up ");
    html_span(out, frame_now_s() - service_started());
    if (config->dry_run)
        html_markup(out, " · <strong class=\"dry\">dry run: nothing is refused</strong>");
    html_markup(out, "</p>");
}

void frame_begin(FILE *out, const struct config *config, enum frame_page page, const char *address)
{
    write_head(out, config, page);
    html_markup(out, "<body><a class=\"skip\" href=\"#content\">To the content</a>"
                     "<header class=\"top\"><div class=\"name\"><a class=\"mark-name\" href=\"/\">"
                     "Ringback</a>");
    write_mode(out, config);
    html_markup(out, "</div><nav aria-label=\"Pages\"><ul>");
    write_link(out, "/", "Status", page == FRAME_STATUS);
    write_link(out, "/why", "Why?", page == FRAME_WHY);
    html_markup(out, "</ul></nav>");
    write_question(out, address);
    html_markup(out, "</header>\n<main id=\"content\" tabindex=\"-1\">");
}

void frame_end(FILE *out)
{
    html_markup(out, "</main>\n<footer><p><span id=\"asof\" data-live>As of ");
    html_time(out, frame_now_s(), frame_now_s());
    html_markup(out,
                ".</span> <span id=\"live\" role=\"status\"></span></p>"
                "<p><a href=\"/status.json\">status.json</a> · <a href=\"/metrics\">metrics</a> · "
                "<a href=\"/healthz\">healthz</a></p></footer></body></html>\n");
}
