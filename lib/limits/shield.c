/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shield: see shield.h. Knows neither clock nor lock, nor what a callout is.
 *
 * A domain is in one of two lists: `calm`, by when it was last noted, and `raised`, in no order.
 * One whose shield has ended may stay in `raised` until somebody looks: a few are looked at when a
 * domain is new, and all when there is nothing else to drop.
 */
#include "config.h"

#include "limits/shield.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/text.h"

enum { SIGHTINGS_FIRST = 8 }; /* room at first; doubled when it is used up */

/* An address asked about. */
struct sighting {
    int64_t stamp_s; /* the first time */
    uint32_t hash;
    uint8_t verdict; /* enum rb_verdict */
};

struct domain {
    struct sighting *sightings; /* oldest first */
    size_t count, room;
    bool raised;      /* it is in the list `raised`, not in `calm` */
    int64_t until_s;  /* the end of the shield last raised */
    int64_t length_s; /* how long that one is up; 0: none was raised */
    int64_t forget_s; /* from then on the domain may be dropped: nothing of it counts any more */
    struct domain *prev, *next;
    UT_hash_handle hh;
    char name[];
};

struct shield_table {
    struct domain *table;
    struct domain *calm, *raised;
    size_t domains_max;
};

static int64_t at_most(int64_t value, int64_t max)
{
    return value < max ? value : max;
}

static int64_t at_least(int64_t value, int64_t min)
{
    return value > min ? value : min;
}

static struct rb_shield_options within_ceilings(const struct rb_shield_options *settings)
{
    return (struct rb_shield_options){
        .addresses = (unsigned)at_most(settings->addresses, SHIELD_ADDRESSES_MAX),
        .window_s = at_most(settings->window_s, SHIELD_WINDOW_MAX_S),
        .hold_s = at_most(settings->hold_s, SHIELD_HOLD_MAX_S),
    };
}

static bool is_up(const struct domain *domain, int64_t now_s)
{
    /* An end that is further off than the shield is long: the clock was set back. */
    return domain->length_s > 0 && now_s < domain->until_s &&
           domain->until_s - now_s <= domain->length_s + SHIELD_SLIP_MAX_S;
}

/* FNV-1a, 64 bits folded to 32: a chance collision only counts one address too few. */
static uint32_t hash_of(const char *text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (; *text != '\0'; text++) {
        hash ^= (unsigned char)*text;
        hash *= UINT64_C(0x100000001b3);
    }
    return (uint32_t)(hash ^ (hash >> 32));
}

static struct domain *find_domain(const struct shield_table *shield, const char *name)
{
    struct domain *domain;

    HASH_FIND_STR(shield->table, name, domain);
    return domain;
}

static void unlist(struct shield_table *shield, struct domain *domain)
{
    if (domain->raised) {
        DL_DELETE(shield->raised, domain);
    } else {
        DL_DELETE(shield->calm, domain);
    }
}

/* At the end of the list it now belongs to. */
static void enlist(struct shield_table *shield, struct domain *domain, bool raised)
{
    domain->raised = raised;
    if (raised) {
        DL_APPEND(shield->raised, domain);
    } else {
        DL_APPEND(shield->calm, domain);
    }
}

static void relist(struct shield_table *shield, struct domain *domain, bool raised)
{
    unlist(shield, domain);
    enlist(shield, domain, raised);
}

static void drop_domain(struct shield_table *shield, struct domain *domain)
{
    unlist(shield, domain);
    HASH_DEL(shield->table, domain);
    free(domain->sightings);
    free(domain);
}

/* The first SHIELD_SWEEP_STEPS of `raised`: the ended go to `calm`, the others to its end. */
static void release_some_ended(struct shield_table *shield, int64_t now_s)
{
    for (unsigned steps = SHIELD_SWEEP_STEPS; steps > 0 && shield->raised != NULL; steps--)
        relist(shield, shield->raised, is_up(shield->raised, now_s));
}

static void drop_some_forgotten(struct shield_table *shield, int64_t now_s)
{
    for (unsigned steps = SHIELD_SWEEP_STEPS; steps > 0 && shield->calm != NULL; steps--) {
        if (now_s < shield->calm->forget_s)
            return;
        drop_domain(shield, shield->calm);
    }
}

/* The raised domain whose shield ends first; one that has ended is before all that are up. */
static struct domain *first_to_end(const struct shield_table *shield)
{
    struct domain *first = shield->raised;

    for (struct domain *domain = first; domain != NULL; domain = domain->next) {
        if (domain->until_s < first->until_s)
            first = domain;
    }
    return first;
}

static void make_room(struct shield_table *shield, int64_t now_s)
{
    release_some_ended(shield, now_s);
    drop_some_forgotten(shield, now_s);
    if (HASH_COUNT(shield->table) < shield->domains_max)
        return;
    drop_domain(shield, shield->calm != NULL ? shield->calm : first_to_end(shield));
}

static struct domain *add_domain(struct shield_table *shield, const char *name, size_t name_len)
{
    struct domain *domain = calloc(1, sizeof *domain + name_len + 1);

    if (domain == NULL)
        return NULL;
    memcpy(domain->name, name, name_len + 1);
    HASH_ADD_KEYPTR(hh, shield->table, domain->name, name_len, domain);
    if (domain->hh.tbl == NULL) {
        free(domain);
        return NULL;
    }
    enlist(shield, domain, false);
    return domain;
}

/* The domain, new if need be, as the most recently noted; NULL when it cannot be noted. */
static struct domain *find_or_add(struct shield_table *shield, const char *name, int64_t now_s)
{
    const size_t name_len = strnlen(name, RB_DOMAIN_MAX + 1);
    struct domain *domain;

    if (name_len > RB_DOMAIN_MAX)
        return NULL;
    domain = find_domain(shield, name);
    if (domain != NULL) {
        relist(shield, domain, is_up(domain, now_s));
        return domain;
    }
    make_room(shield, now_s);
    return add_domain(shield, name, name_len);
}

static void drop_first_sightings(struct domain *domain, size_t count)
{
    domain->count -= count;
    memmove(domain->sightings, domain->sightings + count,
            domain->count * sizeof *domain->sightings);
}

/* Looks at every stamp, because after the clock was set back they are in no order. */
static void leave_window(struct domain *domain, int64_t window_s, int64_t now_s)
{
    size_t kept = 0;

    for (size_t i = 0; i < domain->count; i++) {
        const int64_t age_s = now_s - domain->sightings[i].stamp_s;
        if (age_s < window_s && age_s >= -SHIELD_SLIP_MAX_S)
            domain->sightings[kept++] = domain->sightings[i];
    }
    domain->count = kept;
}

static struct sighting *seen_before(const struct domain *domain, uint32_t hash)
{
    for (size_t i = 0; i < domain->count; i++) {
        if (domain->sightings[i].hash == hash)
            return &domain->sightings[i];
    }
    return NULL;
}

static bool has_room(struct domain *domain)
{
    struct sighting *sightings;
    const size_t room = domain->room == 0 ? SIGHTINGS_FIRST : 2 * domain->room;

    if (domain->count < domain->room)
        return true;
    sightings = realloc(domain->sightings, room * sizeof *sightings);
    if (sightings == NULL)
        return false;
    domain->sightings = sightings;
    domain->room = room;
    return true;
}

/* Only the last `addresses` can matter: more of them within the window prove no more. */
static void sight(struct domain *domain, const struct sighting *sighting, unsigned addresses)
{
    struct sighting *before = seen_before(domain, sighting->hash);

    if (before != NULL) {
        if (sighting->verdict != RB_VERDICT_UNKNOWN)
            before->verdict = sighting->verdict;
        return;
    }
    if (domain->count >= addresses)
        drop_first_sightings(domain, domain->count - addresses + 1);
    if (has_room(domain))
        domain->sightings[domain->count++] = *sighting;
}

static bool looks_forged(const struct domain *domain, unsigned addresses)
{
    size_t valid = 0, invalid = 0;

    for (size_t i = 0; i < domain->count; i++) {
        valid += domain->sightings[i].verdict == RB_VERDICT_VALID;
        invalid += domain->sightings[i].verdict == RB_VERDICT_INVALID;
    }
    return domain->count >= addresses && invalid >= valid && 4 * invalid >= domain->count;
}

static void raise_shield(struct domain *domain, int64_t hold_s, int64_t now_s)
{
    const bool soon = domain->length_s > 0 && now_s >= domain->until_s &&
                      now_s - domain->until_s <= domain->length_s;

    domain->length_s = soon ? at_most(2 * domain->length_s, SHIELD_HOLD_MAX_S) : hold_s;
    domain->until_s = now_s + domain->length_s;
    free(domain->sightings);
    domain->sightings = NULL;
    domain->count = domain->room = 0;
}

struct shield_table *shield_new(size_t domains_max)
{
    struct shield_table *shield = domains_max > 0 ? calloc(1, sizeof *shield) : NULL;

    if (shield != NULL)
        shield->domains_max = domains_max;
    return shield;
}

void shield_free(struct shield_table *shield)
{
    if (shield == NULL)
        return;
    while (shield->calm != NULL)
        drop_domain(shield, shield->calm);
    while (shield->raised != NULL)
        drop_domain(shield, shield->raised);
    free(shield);
}

bool shield_is_up(const struct shield_table *shield, const char *domain, int64_t now_s,
                  int64_t *until_s)
{
    const struct domain *found = find_domain(shield, domain);

    if (found == NULL || !is_up(found, now_s))
        return false;
    if (until_s != NULL)
        *until_s = found->until_s;
    return true;
}

bool shield_note(struct shield_table *shield, const char *domain, const char *address_key,
                 enum rb_verdict verdict, const struct rb_shield_options *settings, int64_t now_s)
{
    const struct rb_shield_options set = within_ceilings(settings);
    const struct sighting sighting = {
        .stamp_s = now_s, .hash = hash_of(address_key), .verdict = (uint8_t)verdict};
    struct domain *found;
    bool raised;

    if (set.addresses == 0 || set.window_s <= 0 || set.hold_s <= 0)
        return false;
    found = find_or_add(shield, domain, now_s);
    if (found == NULL || is_up(found, now_s))
        return false;
    leave_window(found, set.window_s, now_s);
    sight(found, &sighting, set.addresses);
    raised = looks_forged(found, set.addresses);
    if (raised) {
        raise_shield(found, set.hold_s, now_s);
        relist(shield, found, true);
    }
    found->forget_s = at_least(now_s, found->until_s + found->length_s) + set.window_s;
    return raised;
}

size_t shield_count(const struct shield_table *shield)
{
    return HASH_COUNT(shield->table);
}

size_t shield_list_up(const struct shield_table *shield, int64_t now_s, struct shield_up *list,
                      size_t size)
{
    size_t count = 0;

    for (const struct domain *domain = shield->raised; domain != NULL; domain = domain->next) {
        if (!is_up(domain, now_s))
            continue;
        if (count < size) {
            list[count].until_s = domain->until_s;
            (void)text_copy(list[count].domain, sizeof list[count].domain, domain->name);
        }
        count++;
    }
    return count;
}
