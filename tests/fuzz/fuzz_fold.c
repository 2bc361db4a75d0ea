/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One-time senders: a fold's key is no mailbox and no longer than the address, a base is a mailbox
 * of the same domain, what folds away changes nothing; and a fold's record decodes to what encodes
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

const char fuzz_name[] = "fold";

static void check_base(const struct address *address, const struct fold *fold)
{
    struct address base;

    HOLDS(address_from_key(fold->base, &base));
    HOLDS(strcmp(base.domain, address->domain) == 0);
    HOLDS(strstr(address->local, base.local) != NULL);
    HOLDS(strlen(base.local) < strlen(address->local));
}

static void check_fold(const struct address *address)
{
    char key[RB_ADDRESS_MAX + 1];
    struct address again;
    struct fold fold;
    const enum fold_kind kind = fold_address(address, &fold);

    HOLDS(kind == fold.kind && kind <= FOLD_VERP);
    if (kind == FOLD_NONE) {
        HOLDS(fold.key[0] == '\0' && fold.base[0] == '\0');
        return;
    }
    HOLDS(address_key(address, key, sizeof key) == RB_OK);
    HOLDS(strlen(fold.key) <= strlen(key) && strchr(fold.key, FOLD_ANYTHING) != NULL);
    HOLDS(address_parse(fold.key, strlen(fold.key), true, &again) != ADDRESS_OK);
    HOLDS(strcmp(strrchr(fold.key, '@') + 1, address->domain) == 0);
    if (kind == FOLD_BATV)
        check_base(address, &fold);
    else
        HOLDS(fold.base[0] == '\0');
}

/* The same local part at another domain is of another fold. */
static void check_domain_counts(const struct address *address)
{
    struct address other = *address;
    struct fold one, two;

    (void)memcpy(other.domain, "x.example", sizeof "x.example");
    other.is_literal = false;
    if (fold_address(address, &one) == FOLD_NONE || fold_address(&other, &two) == FOLD_NONE)
        return;
    HOLDS((strcmp(one.key, two.key) == 0) == (strcmp(address->domain, other.domain) == 0));
}

static void check_record(const uint8_t *body, size_t len)
{
    uint8_t octets[CODEC_SIZE_MAX], again[FOLD_RECORD_SIZE_MAX];
    struct codec_sink sink;
    struct fold_record record, same;

    codec_open_sink(&sink, octets, sizeof octets, (char)(body[0] & 0x7F));
    codec_put_octets(&sink, body + 1, len - 1);
    if (!fold_record_decode(octets, codec_put_end(&sink), &record)) {
        HOLDS(record.valids == 0 && record.valid_s == 0 && record.invalid_s == 0);
        return;
    }
    len = fold_record_encode(&record, again, sizeof again);
    HOLDS(len > 0 && fold_record_decode(again, len, &same));
    HOLDS(record.valids == same.valids && record.valid_s == same.valid_s &&
          record.invalid_s == same.invalid_s);
    fold_record_merge(&same, &record);
    HOLDS(record.valids == same.valids && record.valid_s == same.valid_s &&
          record.invalid_s == same.invalid_s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct address address;
    struct fold_record record;

    HOLDS(!fold_record_decode(data, size, &record) || record.valids <= FOLD_VALIDS_MAX);
    if (size > 0 && (data[0] & 0x80) != 0)
        check_record(data, size);
    if (address_parse((const char *)data, size, true, &address) != ADDRESS_OK)
        return 0;
    check_fold(&address);
    check_domain_counts(&address);
    return 0;
}
