/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spf_rig: answers to what SPF looks up, out of a table, so that evaluations ask nobody; and which
 * look-ups an evaluation made. Whatever cannot be done ends the test.
 */
#ifndef RB_SPF_RIG_H
#define RB_SPF_RIG_H

#include "fake_dns.h"
#include "spf/answers.h"

/* What DNS says to a look-up: as fake_dns does, but for CNAMEs, which dns follows. */
enum dns_outcome spf_rig_say(const struct fake_dns_row *rows, size_t count,
                             const struct spf_lookup *lookup, struct dns_record_list *list);

/* What was looked up in one evaluation. */
struct spf_rig_log {
    struct spf_lookup lookup[SPF_ANSWERS_MAX];
    size_t count;
};

/* How often a name was looked up; ns_t_invalid: with any type. */
unsigned spf_rig_looked_up(const struct spf_rig_log *log, const char *name, int type);

/* Each look-up must be another one, and one that can be made. */
void spf_rig_note(struct spf_rig_log *log, const struct spf_lookup *lookup);

#endif
