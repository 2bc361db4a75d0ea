/* SPDX-License-Identifier: BSD-2-Clause */
/* test_dkim_signature: who names himself so that a verifier's field would say what he likes. */
#include "config.h"

#include "mail/dkim_signature.h"

#include "check.h"

#define BEGIN "v=1; a=rsa-sha256; c=relaxed/relaxed; "
#define END                                                                                        \
    " h=From:Subject; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=dzdVyOfAKCdLXdJOc9G2\r\n" \
    "\t q8LoXSlEniSbav+yuU4zGeeruD00lszZVoG4ZHRNiYzR=="

static void what_honest_signers_write_is_plain(void **state)
{
    static const char *const values[] = {
        BEGIN "d=example.org; s=2026;" END,
        BEGIN "d=example.org; s=a._b-c;\r\n\ti=@example.org;" END,
        BEGIN "d=example.org; s=x; i=user+tag@news.example.org; t=1117574938; x=1118006938;" END,
        BEGIN "d=xn--bcher-kva.example; s=x; i=!#$%&'*+-/?^_`{|}~@example.org;" END,
        BEGIN "d=b\xc3\xbc"
              "cher.example; s=x;" END,
        BEGIN " d =\r\n example.org\r\n ;\ts\t=\tx\t; i = @example.org ;" END ";",
        BEGIN "d=example.org; s=x; z=From:a=20b=3B=40c|Subject:(x)=3D\"y\";" END,
        BEGIN "d=example.org; s=x; i=; n=\"(a note)\";" END,
        "",
        ";;",
        "i",
        " \r\n",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(values); i++)
        if (!dkim_signature_is_plain(span_of(values[i])))
            fail_msg("%s", values[i]);
}

static void what_would_be_read_as_more_is_not(void **state)
{
    static const char *const values[] = {
        BEGIN
        "d=evil.example; s=x; i=a=3B=20dkim=3Dpass=20header.d=3Dgood.example@evil.example;" END,
        BEGIN "d=evil.example; s=x; I=a=3b@evil.example;" END,
        BEGIN "d=evil.example; s=x;\r\n i\t=\r\n a=0A@evil.example;" END,
        BEGIN "d=good.example(x)reason=y.evil.example; s=x;" END,
        BEGIN "d=good.example(.evil.example; s=x;" END,
        BEGIN "d=good.example).evil.example; s=x;" END,
        BEGIN "d=good.example\".evil.example; s=x;" END,
        BEGIN "d=good.example\\.evil.example; s=x;" END,
        BEGIN "d=good.example x.y.evil.example; s=x;" END,
        BEGIN "d=good.example\r\n x.y.evil.example; s=x;" END,
        BEGIN "d=good.example\x01.evil.example; s=x;" END,
        BEGIN "d=evil.example; s=x header.d=good.example;" END,
        BEGIN "d=evil.example; i=@evil.example; i=\"a\"@evil.example;" END,
        "a=rsa-sha256(x); d=evil.example",
        "i=\x7f",
        "i==",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(values); i++)
        if (dkim_signature_is_plain(span_of(values[i])))
            fail_msg("%s", values[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_honest_signers_write_is_plain),
        cmocka_unit_test(what_would_be_read_as_more_is_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
