/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One-time senders: a class's key is no mailbox and no longer than the address, a base is a mailbox
 * of the same domain, what varies changes nothing; and a class's record decodes to what encodes
 * to the same. Input: an address; or, first octet over 127, a record without its checksum.
 */
#include "config.h"

#include "fuzz.h"

#include <stdbool.h>
#include <string.h>

#include "mail/address.h"
#include "cache/codec.h"
#include "mail/onetime.h"
#include "cache/onetime_record.h"

const char fuzz_name[] = "onetime";

static void check_base(const struct address *address, const struct onetime_class *onetime)
{
    struct address base;

    HOLDS(address_from_key(onetime->base, &base));
    HOLDS(strcmp(base.domain, address->domain) == 0);
    HOLDS(strstr(address->local, base.local) != NULL);
    HOLDS(strlen(base.local) < strlen(address->local));
}

static void check_onetime(const struct address *address)
{
    char key[RB_ADDRESS_MAX + 1];
    struct address again;
    struct onetime_class onetime;
    const enum onetime_kind kind = onetime_classify(address, &onetime);

    HOLDS(kind == onetime.kind && kind <= ONETIME_VERP);
    if (kind == ONETIME_NONE) {
        HOLDS(onetime.key[0] == '\0' && onetime.base[0] == '\0');
        return;
    }
    HOLDS(address_key(address, key, sizeof key) == RB_OK);
    HOLDS(strlen(onetime.key) <= strlen(key) && strchr(onetime.key, ONETIME_ANYTHING) != NULL);
    HOLDS(address_parse(onetime.key, strlen(onetime.key), true, &again) != ADDRESS_OK);
    HOLDS(strcmp(strrchr(onetime.key, '@') + 1, address->domain) == 0);
    if (kind == ONETIME_BATV)
        check_base(address, &onetime);
    else
        HOLDS(onetime.base[0] == '\0');
}

/* The same local part at another domain is of another class. */
static void check_domain_counts(const struct address *address)
{
    struct address other = *address;
    struct onetime_class one, two;

    (void)memcpy(other.domain, "x.example", sizeof "x.example");
    other.is_literal = false;
    if (onetime_classify(address, &one) == ONETIME_NONE ||
        onetime_classify(&other, &two) == ONETIME_NONE)
        return;
    HOLDS((strcmp(one.key, two.key) == 0) == (strcmp(address->domain, other.domain) == 0));
}

static void check_record(const uint8_t *body, size_t len)
{
    uint8_t octets[CODEC_SIZE_MAX], again[ONETIME_RECORD_SIZE_MAX];
    struct codec_sink sink;
    struct onetime_record record, same;

    codec_open_sink(&sink, octets, sizeof octets, (char)((body[0] & 0x7F) | 0x20));
    codec_put_octets(&sink, body + 1, len - 1);
    if (!onetime_record_decode(octets, codec_put_end(&sink), &record)) {
        HOLDS(record.valids == 0 && record.valid_s == 0 && record.invalid_s == 0);
        return;
    }
    len = onetime_record_encode(&record, again, sizeof again);
    HOLDS(len > 0 && onetime_record_decode(again, len, &same));
    HOLDS(record.valids == same.valids && record.valid_s == same.valid_s &&
          record.invalid_s == same.invalid_s);
    onetime_record_merge(&same, &record);
    HOLDS(record.valids == same.valids && record.valid_s == same.valid_s &&
          record.invalid_s == same.invalid_s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct address address;
    struct onetime_record record;

    HOLDS(!onetime_record_decode(data, size, &record) || record.valids <= ONETIME_VALIDS_MAX);
    if (size > 0 && (data[0] & 0x80) != 0)
        check_record(data, size);
    if (address_parse((const char *)data, size, true, &address) != ADDRESS_OK)
        return 0;
    check_onetime(&address);
    check_domain_counts(&address);
    return 0;
}
