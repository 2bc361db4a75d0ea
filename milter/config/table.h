/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * table: what ringback.conf(5) can say: one table tells each directive's kind, place, default
 * and range. Reading, printing, freeing and comparing go through it.
 */
#ifndef RB_MILTER_CONFIG_TABLE_H
#define RB_MILTER_CONFIG_TABLE_H

#include "config/value.h"

/* Milliseconds. */
#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

enum kind {
    KIND_YES_NO,   /* bool */
    KIND_NUMBER,   /* unsigned */
    KIND_MS,       /* unsigned, milliseconds */
    KIND_SECONDS,  /* int64_t; min and max in milliseconds like KIND_MS */
    KIND_SIZE,     /* uint64_t */
    KIND_RATE,     /* struct rb_rate; min and max of the count */
    KIND_NAME,     /* an enum: the index in names */
    KIND_TEXT,     /* char *, through check */
    KIND_TEXTS,    /* struct text_list, each through check, at most max */
    KIND_NETWORKS, /* struct network_list */
    KIND_ADDRESS_PATTERNS,
    KIND_HOST_PATTERNS, /* struct pattern_list */
    KIND_NAMES,         /* unsigned, a set: bit i stands for names[i] */
};

struct directive {
    const char *section; /* "" outside of any */
    const char *name;
    size_t offset;
    const char *standard; /* the default, in the file's words; of a list in libconfuse's syntax */
    int64_t min, max;     /* of a list: max entries, 0 for CONFIG_ENTRIES_MAX */
    const char *const *names;
    const char *yes; /* of KIND_NAME: which of the names "yes" stands for; NULL: none */
    value_check *check;
    enum kind kind;
    bool fixed; /* takes effect only at a start */
};

struct table {
    const struct directive *directives;
    size_t count;
};

extern const struct table main_table;   /* fields of struct config */
extern const struct table policy_table; /* of struct policy; sections "policy" and "match" */
extern const struct table relay_table;  /* of struct relay */

enum { MAIN_SECTIONS = 7 };

extern const char
    *const main_sections[MAIN_SECTIONS]; /* "" first, then in the order of the manual */

/* The positions of spf.gate, in the order of the numbers, NULL at the end. */
extern const char *const gate_names[];

/* Whether the directive's value is a list. */
bool table_is_list(const struct directive *directive);

/* Frees all fields of the table within base. */
void table_free_fields(const struct table *table, void *base);

/* A value as the file would have it, without quotes. Not for lists. VALUE_TEXT_MAX + 1 octets
 * suffice. */
void table_format(const struct directive *directive, const void *field, char *text, size_t size);

#endif
