/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_onetime: which senders are taken for one-time senders, what of them stays, and that nobody's
 * mailbox is.
 */
#include "config.h"

#include "mail/onetime.h"

#include "check.h"

#include <stdio.h>
#include <time.h>

/* key: '#' stands for ONETIME_ANYTHING. base: "" where there is none. */
struct row {
    const char *address;
    const char *key;
    const char *base;
};

static struct address parse(const char *text)
{
    struct address address;
    if (address_parse(text, strlen(text), true, &address) != ADDRESS_OK)
        fail_msg("%s: no address", text);
    return address;
}

/* The class of an address, its key made readable. */
static struct onetime_class class_of(const char *text)
{
    const struct address address = parse(text);
    struct onetime_class onetime;
    const enum onetime_kind kind = onetime_classify(&address, &onetime);

    assert_int_equal(kind, onetime.kind);
    for (char *c = onetime.key; *c != '\0'; c++)
        if (*c == ONETIME_ANYTHING)
            *c = '#';
    return onetime;
}

static void check_row(const struct row *row, enum onetime_kind kind)
{
    const struct onetime_class onetime = class_of(row->address);

    if (onetime.kind != kind || strcmp(onetime.key, row->key) != 0 ||
        strcmp(onetime.base, row->base) != 0)
        fail_msg("%s: kind %d, key '%s', base '%s'; wanted %d, '%s', '%s'", row->address,
                 (int)onetime.kind, onetime.key, onetime.base, (int)kind, row->key, row->base);
}

#define HASH32 "0123456789abcdef0123456789abcdef"
#define UUID "01234567-89ab-cdef-0123-456789abcdef"

static const struct row batv[] = {
    {"prvs=1234abcdef=user@example.org", "prvs=#=user@example.org", "user@example.org"},
    {"prvs=9999ABCDEF=user@example.org", "prvs=#=user@example.org", "user@example.org"},
    {"PRVS=1234abcdef=user@example.org", "prvs=#=user@example.org", "user@example.org"},
    {"Prvs=1234567890=user@EXAMPLE.org.", "prvs=#=user@example.org", "user@example.org"},
    {"prvs=1234567890=John.Smith@example.org", "prvs=#=John.Smith@example.org",
     "John.Smith@example.org"},
    {"prvs=0123456789=u+tag@example.org", "prvs=#=u+tag@example.org", "u+tag@example.org"},
    {"prvs=0123456789=79161234567@example.org", "prvs=#=79161234567@example.org",
     "79161234567@example.org"},
    {"prvs=0123456789=a=b@example.org", "prvs=#=a=b@example.org", "a=b@example.org"},
    {"prvs=0123456789=a*b@example.org", "prvs=#=a*b@example.org", "a*b@example.org"},
    {"prvs=0123456789=pelé@example.org", "prvs=#=pelé@example.org", "pelé@example.org"},
    {"prvs=0123456789=u@[192.0.2.1]", "prvs=#=u@[192.0.2.1]", "u@[192.0.2.1]"},
    {"<prvs=0123456789=u@bücher.example>", "prvs=#=u@xn--bcher-kva.example",
     "u@xn--bcher-kva.example"},
    {"\"prvs=0123456789=u\"@example.org", "prvs=#=u@example.org", "u@example.org"},
    {"prvs=0123456789=prvs=1111111111=u@example.org", "prvs=#=prvs=1111111111=u@example.org",
     "prvs=1111111111=u@example.org"},
    {"prvs=0123456789=1111111111@example.org", "prvs=#=1111111111@example.org",
     "1111111111@example.org"},
    {"prvs=user=0123abcdef@example.org", "prvs=user=#@example.org", "user@example.org"},
    {"prvs=user/0123abcdef@example.org", "prvs=user/#@example.org", "user@example.org"},
    {"prvs=a=b=0123abcdef@example.org", "prvs=a=b=#@example.org", "a=b@example.org"},
    {"btv1==078aa2d3ae3==user@example.org", "btv1==#==user@example.org", "user@example.org"},
    {"BTV1==3781e53e7cc==User.Name@example.org", "btv1==#==User.Name@example.org",
     "User.Name@example.org"},
    {"msprvs1=17855dVbVgXlM=bounces-271617@bounces.example.org",
     "msprvs1=#=bounces-271617@bounces.example.org", "bounces-271617@bounces.example.org"},
    {"msprvs1=18195_XyZ-abcQ=bounces-1-2@example.org", "msprvs1=#=bounces-1-2@example.org",
     "bounces-1-2@example.org"},
};

static const struct row srs[] = {
    {"SRS0=HHH=TT=origin.example=user@fwd.example", "SRS0=#=#=origin.example=user@fwd.example", ""},
    {"SRS0=mYEs=3F=origin.example=user@fwd.example", "SRS0=#=#=origin.example=user@fwd.example",
     ""},
    {"srs0=mYEs=3f=origin.example=user@fwd.example", "SRS0=#=#=origin.example=user@fwd.example",
     ""},
    {"SRS0+mYEs=3F=origin.example=user@fwd.example", "SRS0+#=#=origin.example=user@fwd.example",
     ""},
    {"SRS0-mYEs=3F=origin.example=user@fwd.example", "SRS0-#=#=origin.example=user@fwd.example",
     ""},
    {"SRS0=a/b+=3F=origin.example=user@fwd.example", "SRS0=#=#=origin.example=user@fwd.example",
     ""},
    {"SRS0=mYEs=3F=sub.origin.co.uk=u.v@fwd.example", "SRS0=#=#=sub.origin.co.uk=u.v@fwd.example",
     ""},
    {"SRS0=mYEs=3F=Origin.example=User@fwd.example", "SRS0=#=#=Origin.example=User@fwd.example",
     ""},
    {"SRS0=mYEs=3F=origin.example=a=b@fwd.example", "SRS0=#=#=origin.example=a=b@fwd.example", ""},
    {"SRS0=mYEs=3F=origin.example=a*b@fwd.example", "SRS0=#=#=origin.example=a*b@fwd.example", ""},
    {"SRS1=hash=fwd.example==mYEs=3F=origin.example=user@two.example",
     "SRS1=#=fwd.example==#=#=origin.example=user@two.example", ""},
    {"srs1+hash=fwd.example=+mYEs=3F=o.example=user@two.example",
     "SRS1+#=fwd.example=+#=#=o.example=user@two.example", ""},
    {"SRS1-hash=fwd.example=-mYEs=3F=o.example=user@two.example",
     "SRS1-#=fwd.example=-#=#=o.example=user@two.example", ""},
    {"john.work+SRS=44ldt=IX=origin.example=tom@contoso.example",
     "john.work+SRS=#=#=origin.example=tom@contoso.example", ""},
    {"john.work+srs=44ldt=IX=origin.example=tom@contoso.example",
     "john.work+SRS=#=#=origin.example=tom@contoso.example", ""},
    {"bounces+SRS=lSgVU=QK@contoso.example", "bounces+SRS=#=#@contoso.example", ""},
    {"alice+caf_=bob=example.net@gmail.com", "alice+caf_=#=#@gmail.com", ""},
    {"a.b+caf_=bob.c=mail.example.net@example.org", "a.b+caf_=#=#@example.org", ""},
};

static const struct row verp[] = {
    /* longer than 64 octets */
    {"bounces+123456789-a1b2-firstname.lastname=departments.example.com@l.example",
     "bounces+123456789-#-#=#@l.example", ""},
    /* list managers */
    {"list-return-123-user=example.com@lists.example", "list-return-#-#=#@lists.example", ""},
    {"a-b.c-return-9-u.v-w=mail.example.com@lists.example", "a-b.c-return-#-#=#@lists.example", ""},
    {"list-return-123-@lists.example", "list-return-#-@lists.example", ""},
    {"list-bounces+user=example.com@lists.example", "list-bounces+#=#@lists.example", ""},
    {"List-Bounces+user=example.com@lists.example", "List-Bounces+#=#@lists.example", ""},
    {"my-list-bounces+u.v+w=example.com@lists.example", "my-list-bounces+#=#@lists.example", ""},
    {"list-bounces+a=b=example.com@lists.example", "list-bounces+#=#@lists.example", ""},
    {"list-bounces+user=xn--bcher-kva.xn--p1ai@lists.example", "list-bounces+#=#@lists.example",
     ""},
    {"list-bounces+pelé=example.com@lists.example", "list-bounces+#=#@lists.example", ""},
    {"list-bounces+a*b=example.com@lists.example", "list-bounces+#=#@lists.example", ""},
    {"list-bounces-user=example.com@lists.example", "list-bounces-#=#@lists.example", ""},
    {"list-bounces-joe-smith=example.com@lists.example", "list-bounces-#=#@lists.example", ""},
    {"list-bounces+0123456789abcdef0123456789abcdef01234567@l.example", "list-bounces+#@l.example",
     ""},
    {"list-confirm+0123456789abcdef0123456789abcdef01234567@l.example", "list-confirm+#@l.example",
     ""},
    {"linux-kernel+bounces-12345-user=example.com@vger.example",
     "linux-kernel+bounces-#-#=#@vger.example", ""},
    {"linux-kernel+bounces-12345@vger.example", "linux-kernel+bounces-#@vger.example", ""},
    {"pgsql-hackers-owner+M12345=user=example.com@lists.example",
     "pgsql-hackers-owner+M#=#=#@lists.example", ""},
    {"freebsd-owner+M98765@lists.example", "freebsd-owner+M#@lists.example", ""},
    {"list-owner+user=example.com@lists.example", "list-owner+#=#@lists.example", ""},
    {"owner-list+user=example.com@lists.example", "owner-list+#=#@lists.example", ""},
    {"bounce+john==a==example.com==mylist@sympa.example", "bounce+#==a==#==mylist@sympa.example",
     ""},
    {"bounce+john==a==example.com==mylist==w@sympa.example",
     "bounce+#==a==#==mylist==w@sympa.example", ""},
    {"bounce+john==a==example.com==mylist==r@sympa.example",
     "bounce+#==a==#==mylist==r@sympa.example", ""},
    {"owner-LIST*joe**example*-com@listserv.example", "owner-LIST*#**#@listserv.example", ""},
    {"owner-list*joe.user**example.com@listserv.example", "owner-list*#**#@listserv.example", ""},
    {"OWNER-NOLIST-X*JOE**EXAMPLE*-COM@listserv.example", "OWNER-NOLIST-X*#**#@listserv.example",
     ""},
    {"bounce-debian-devel=user=example.com@lists.debian.org",
     "bounce-debian-devel=#=#@lists.debian.org", ""},
    {"group+bncBDLPBXXXXXDRBCWZ4GPQMGQE4WHYYPA@googlegroups.com", "group+bnc#@googlegroups.com",
     ""},
    {"bounce+27952+110135+1787277+3901457@groups.io", "bounce+#+#+1787277+#@groups.io", ""},
    {"sentto-123-45-6789-user=example.com@returns.example", "sentto-123-#-#-#=#@returns.example",
     ""},
    {"notify-return-user=example.com@returns.example", "notify-return-#=#@returns.example", ""},
    {"forum+verp-" HASH32 "@forum.example", "forum+verp-#@forum.example", ""},
    {"news+user=example.com@lists.example", "news+#=#@lists.example", ""},
    {"anything+user=example.com@lists.example", "anything+#=#@lists.example", ""},

    /* bulk senders */
    {"bounces+1234567-ab12-user=example.com@em1.example", "bounces+1234567-#-#=#@em1.example", ""},
    {"bounces+1234567-ab12-jo-e=example.com@em1.example", "bounces+1234567-#-#=#@em1.example", ""},
    {"bounce+d0a1c4.4d5f6-user=example.com@mg.example", "bounce+#.#-#=#@mg.example", ""},
    {"bounce+74c3a4.ba1b26e-a-b=example.com@mg.example", "bounce+#.#-#=#@mg.example", ""},
    {"0100018c1f2a3b4c-" UUID "-000000@amazonses.com", "#-#-000000@amazonses.com", ""},
    {"0102018c1f2a3b4c-" UUID "-000000@mail.example", "#-#-000000@mail.example", ""},
    {"bounce-mc.us6_15834471.5060657-f9d1b84ef3@mail1.mcsv.example",
     "bounce-mc.us6_15834471.#-#@mail1.mcsv.example", ""},
    {"bounce-mc.us1_123.456-789@mail1.mcsv.example", "bounce-mc.us1_123.#-#@mail1.mcsv.example",
     ""},
    {"bounce-mc.us1_123.456-user=example.com@mail1.mcsv.example",
     "bounce-mc.us1_123.#-#@mail1.mcsv.example", ""},
    {"bounce-md_30162279.5f1a2b3c.v1-" HASH32 "@mandrill.example",
     "bounce-md_30162279.#.v1-#@mandrill.example", ""},
    {"bounce-123_HTML-456-789-7000-0@bounce.example", "bounce-#_HTML-#-#-7000-#@bounce.example",
     ""},
    {"bounce-123_TEXT-456-789-7000-0@bounce.example", "bounce-#_TEXT-#-#-7000-#@bounce.example",
     ""},
    {"bounce-123_HTML-456-789-0@bounce.example", "bounce-#_HTML-#-#-#@bounce.example", ""},
    {"bounce-123_TEXT-456-789-0@bounce.example", "bounce-#_TEXT-#-#-#@bounce.example", ""},
    {"joe=corp.example__0-3vtqs8gj2hsk9q@33bq.2-9e5t.na1.bnc.salesforce.com",
     "joe=corp.example__#@33bq.2-9e5t.na1.bnc.salesforce.com", ""},
    {"402-FTO-562.0.277434.0.0.41229.7.54868@em.mktomail.example",
     "402-FTO-562.#@em.mktomail.example", ""},
    {"v-dfhbdm_ojcggpmfb_jkepknel_jkepknel_a@bounce.mkt2943.example",
     "v-#_#_#_#_a@bounce.mkt2943.example", ""},
    {"AAbC1dEfGhIjKlMnOpQr==_1101234567_AbCd1fGhIjKlMnOpQrSt=@in.constantcontact.com",
     "#_1101234567_#@in.constantcontact.com", ""},
    {"a1b2c3d4.AAAAAbCdEfGhAAAA.ABXYZ1mmNzg@bnc3.mailjet.com", "a1b2c3d4.#@bnc3.mailjet.com", ""},
    {"3YTV5ZQ8KBg4qv0-uHaCrF0B5unB1.9zFuH3@calendar-server.bounces.google.com",
     "3#@calendar-server.bounces.google.com", ""},
    {"m-2s5ykeqab12cd34efgh@bounce.linkedin.com", "m-#@bounce.linkedin.com", ""},
    {"s-2s5ykeqab12cd34efgh@bounce.linkedin.com", "s-#@bounce.linkedin.com", ""},
    {"n02b7d5f1f1-user=example.com-a4b2c@bounce.twitter.com", "#-#=#-#@bounce.twitter.com", ""},
    {"notification+kr4yaaxyz_9@facebookmail.com", "notification+#@facebookmail.com", ""},

    /* home-made */
    {"bounce-user=example.com@mail.example", "bounce-#=#@mail.example", ""},
    {"bounces-123456789-user=example.com@mail.example", "bounces-#=#@mail.example", ""},
    {"verp-user=example.com@mail.example", "verp-#=#@mail.example", ""},
    {"newsletter-user=example.com@mail.example", "newsletter-#=#@mail.example", ""},
    {"return.user=example.com@mail.example", "return.#=#@mail.example", ""},
    {"bounce-user_example.com@mail.example", "bounce-#_#@mail.example", ""},
    {"bounces+a_b_example.co.uk@mail.example", "bounces+#_#@mail.example", ""},
    {"msg_12345678.123456@mail.example", "msg_#@mail.example", ""},
    {"bounce-12345678@mail.example", "bounce-#@mail.example", ""},
    {"bounce-1234-5678-9@mail.example", "bounce-#@mail.example", ""},
    {"bounce+12345.f9d1b84ef3@mail.example", "bounce+#@mail.example", ""},
    {"acme-bounces_20240131_99@mail.example", "acme-bounces_#@mail.example", ""},
    {"noreply-123456789@mail.example", "noreply-#@mail.example", ""},
    {"reply+" HASH32 "@mail.example", "reply+#@mail.example", ""},
    {"bounce-123-" HASH32 "@mail.example", "bounce-#@mail.example", ""},
    {"bounce-123456-" UUID "@mail.example", "bounce-#-#@mail.example", ""},
    {"acme-" UUID "@mail.example", "acme-#@mail.example", ""},
    {UUID "@mail.example", "#@mail.example", ""},
    {HASH32 "@mail.example", "#@mail.example", ""},
    {"acme-0123456789abcdef01234567@mail.example", "acme-#@mail.example", ""},
    {"bounces+ZmFjYWRlQGV4YW1wbGUub3Jn1@mail.example", "bounces+#@mail.example", ""},
};

static const char *const mailboxes[] = {
    /* people, shops, roles */
    "john.smith99@example.org",
    "john@example.org",
    "info2024@example.org",
    "o'brien@example.org",
    "sales+shop@example.org",
    "x-ray=fan@example.org",
    "jean-luc.picard@example.org",
    "anna_maria_1985@example.org",
    "user@example.org",
    "a@example.org",
    "1@example.org",
    "79161234567@example.org",
    "123456789@qq.com",
    "1234567890123456789012@example.org",
    "deadbeef@example.org",
    "facade@example.org",
    "decade-facade@example.org",
    "cafe2024@example.org",
    "abc123def4@privaterelay.appleid.com",
    "dpdcnf87nu@example.org",
    "john+amazon@example.org",
    "john+2024@example.org",
    "john+1234567890@example.org",
    "a=b@example.org",
    "a=b=c@example.org",
    "user=example.com@example.org",
    "jean-luc=example.com@example.org",
    "first_last@example.org",
    "john_example.com@example.org",
    "smith-2024-12-31@example.org",
    "room-12345678@example.org",
    "ab12cd34ef56@example.org",
    "www-data@example.org",
    "tax-return-2019@example.org",
    "tax-return-2019-2020@example.org",
    "list-dev-user=example.com@example.org",
    "news-2024-12-31@example.org",
    "returns-2024-1234@example.org",
    "pelé@example.org",
    "用户@example.org",
    "m.12345678@example.org",
    "3com@example.org",
    "4-5-6@example.org",
    "u2@example.org",
    "anna-lena.2@example.org",
    "_@example.org",
    "d0a1c44d5f6e@example.org",
    "v-neck_sweater_shop_a@example.org",
    /* lists and bulk senders that write one sender for all */
    "list-bounces@lists.example",
    "list-owner@lists.example",
    "owner-list@lists.example",
    "bounces@example.org",
    "bounce@example.org",
    "noreply@example.org",
    "no-reply@example.org",
    "newsletter@example.org",
    "news-2024@example.org",
    "newsletter-cafe2024@example.org",
    "bounce-john99@example.org",
    "bounces-smith1985x@example.org",
    "notify-john@example.org",
    "linux-kernel-owner@vger.example",
    "return@example.org",
    "list-request@example.org",
    "news-jean_luc@example.org",
    "bounces+abc123@example.org",
    "reply@example.org",
    "bounce-debian=x@lists.example",
    "owner-list*joe@lists.example",
    "list+bounces-x@l.example",
    "news+john=doe@example.org",
    "bounces-a=b@example.org",
    "bounces+user=com@example.org",
    "bounces+user=example.c0m@example.org",
    "bounces+user=-example.com@example.org",
    "bounces+=example.com@example.org",
    /* forms of one sender at another's domain */
    "3YTV5ZQ8KBg4qv0-uHaCrF0B5unB1.9zFuH3@example.org",
    "m-2s5ykeqab12cd34efgh@notbounce.linkedin.com.example",
    "m-2s5ykeqab12cd34efgh@evilbounce.linkedin.com",
    "joe=corp.example__0-3vtqs8gj2hsk9q@example.org",
    "notification+kr4yaaxyz_9@example.org",
    "a1b2c3d4.AAAAAbCdEfGhAAAA.ABXYZ1mmNzg@example.org",
    /* broken or hostile forms */
    "prvs=@example.org",
    "prvs=1234567890@example.org",
    "prvs=1234567890=@example.org",
    "prvs==user@example.org",
    "prvs=123456789=user@example.org",
    "prvs=12345678901=u@example.org",
    "prvs=a234567890=user@example.org",
    "prvs=123456789g=user@example.org",
    "prvs=user@example.org",
    "xprvs=1234567890=user@example.org",
    "prvs-1234567890=u@example.org",
    "btv1==078aa2d3ae3==@example.org",
    "btv1=078aa2d3ae3=user@example.org",
    "btv1==abcdefab==user@example.org",
    "msprvs1=short=user@example.org",
    "SRS0@example.org",
    "SRS0=@example.org",
    "SRS0=HHH=TT=user@example.org",
    "SRS0=HHH=TT=origin.example=@example.org",
    "SRS0=HHH=TT==user@example.org",
    "SRS0=HHH=TTT=origin.example=user@example.org",
    "SRS0=HHH=TT=origin=user@example.org",
    "SRS0==TT=origin.example=user@example.org",
    "SRS0*HHH=TT=origin.example=user@example.org",
    "SRS1=hash=fwd.example=@example.org",
    "SRS1=hash=fwd.example=mYEs=3F=o.example=user@example.org",
    "SRS1=h1=a.example==SRS1=hash=b.example==hh=tt=o.ex=u@c.ex",
    "SRS2=HHH=TT=origin.example=user@example.org",
    "+SRS=44ldt=IX=origin.example=tom@example.org",
    "john+SRS=44ldt@example.org",
    "alice+caf_=bob@gmail.com",
    "+caf_=bob=example.net@gmail.com",
    "================================================================@example.org",
    "----------------------------------------------------------------@example.org",
    "a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-@example.org",
    "bounce+bounce+bounce+bounce+bounce+bounce+bounce+bounce+bounce+1@example.org",
    "list-return-return-return-return-return-return-return-return-ret@example.org",
    "*@example.org",
    "**@example.org",
    "#@example.org",
    "%@example.org",
    "*=*@example.org",
    "prvs=*=user@example.org",
    "SRS0=*=*=origin.example=user@fwd.example",
    "\"\"@example.org",
    "\" \"@example.org",
    "\"a@b\"@example.org",
    "\"prvs=1234567890=john doe\"@example.org",
    "\"prvs=1234567890=a@b\"@example.org",
    "\"list-bounces+a,b=example.com\"@example.org",
    "\"bounces+1 2=example.com\"@example.org",
    "01234567-89ab-cdef-0123-456789abcde@example.org",
    "01234567-89ab-cdef-0123-456789abcdeg@example.org",
    "0123456789ab-cdef-0123-456789abcdef@example.org",
    "0100018c1f2a3b4c-01234567-89ab-cdef-0123-456789abcdef-000001@amazonses.com",
    "402-FTO-56.0.277434.0.0@example.org",
    "402-FTO-562.0@example.org",
    "bounce-123_HTML-456@example.org",
    "bounce-mc.us1_123.456@example.org",
};

static void batv_keeps_the_mailbox(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(batv); i++)
        check_row(&batv[i], ONETIME_BATV);
}

static void srs_keeps_who_is_forwarded_for(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(srs); i++)
        check_row(&srs[i], ONETIME_SRS);
}

static void verp_keeps_the_list(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(verp); i++)
        check_row(&verp[i], ONETIME_VERP);
}

static void a_mailbox_is_of_no_class(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(mailboxes); i++) {
        const struct row row = {mailboxes[i], "", ""};
        check_row(&row, ONETIME_NONE);
    }
}

static void what_is_of_no_class_leaves_nothing_behind(void **state)
{
    (void)state;
    static const struct onetime_class zero;
    const struct address address = parse("john.smith99@example.org"), none = {.local = ""};
    struct onetime_class onetime;

    memset(&onetime, 'x', sizeof onetime);
    assert_int_equal(onetime_classify(&address, &onetime), ONETIME_NONE);
    assert_memory_equal(&onetime, &zero, sizeof zero);
    memset(&onetime, 'x', sizeof onetime);
    assert_int_equal(onetime_classify(&none, &onetime), ONETIME_NONE);
    assert_memory_equal(&onetime, &zero, sizeof zero);
}

static bool same_class(const char *a, const char *b)
{
    const struct onetime_class one = class_of(a), two = class_of(b);

    assert_int_not_equal(one.kind, ONETIME_NONE);
    assert_int_not_equal(two.kind, ONETIME_NONE);
    return one.kind == two.kind && strcmp(one.key, two.key) == 0;
}

static void what_differs_only_in_its_token_is_of_one_class(void **state)
{
    static const char *const pairs[][2] = {
        {"prvs=1234abcdef=u@example.org", "prvs=5678abcdef=u@example.org"},
        {"SRS0=aaaa=TT=o.example=u@f.example", "SRS0=bbbb=TU=o.example=u@f.example"},
        {"l-bounces+a=b.example@l.example", "l-bounces+cc=dd.example@l.example"},
        {"bounces+12-ab-u=b.example@l.example", "bounces+12-cd-v=c.example@l.example"},
        {"bounce-12345678@l.example", "bounce-987654321-12@l.example"},
        {"0100018c1f2a3b4c-" UUID "-000000@l.example",
         "0100018c1f2a3b4d-11234567-89ab-cdef-0123-456789abcdef-000000@l.example"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(pairs); i++)
        assert_true(same_class(pairs[i][0], pairs[i][1]));
}

static void another_user_list_customer_or_domain_is_another_class(void **state)
{
    static const char *const pairs[][2] = {
        {"prvs=1234abcdef=u@example.org", "prvs=1234abcdef=v@example.org"},
        {"prvs=1234abcdef=u@example.org", "prvs=1234abcdef=U@example.org"},
        {"prvs=1234abcdef=u@example.org", "prvs=1234abcdef=u@example.net"},
        {"prvs=1234abcdef=u@example.org", "prvs=u=1234abcdef@example.org"},
        {"SRS0=aaaa=TT=o.example=u@f.example", "SRS0=aaaa=TT=p.example=u@f.example"},
        {"SRS0=aaaa=TT=o.example=u@f.example", "SRS0=aaaa=TT=o.example=v@f.example"},
        {"a+SRS=aaaa=TT=o.example=u@f.example", "b+SRS=aaaa=TT=o.example=u@f.example"},
        {"k-bounces+a=b.example@l.example", "l-bounces+a=b.example@l.example"},
        {"k-bounces+a=b.example@l.example", "k-bounces+a=b.example@m.example"},
        {"k-return-1-a=b.example@l.example", "l-return-1-a=b.example@l.example"},
        {"bounces+12-ab-u=b.example@l.example", "bounces+13-ab-u=b.example@l.example"},
        {"bounce-mc.us1_12.4-78@l.example", "bounce-mc.us1_13.4-78@l.example"},
        {"bounce-12345678@l.example", "bounces-12345678@l.example"},
        {"bounce-12345678@l.example", "bounce+12345678@l.example"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(pairs); i++)
        assert_false(same_class(pairs[i][0], pairs[i][1]));
}

/* A star that a sender writes is a star, and stays another class's key. */
static void a_key_is_nobodys_address(void **state)
{
    const struct address address = parse("prvs=1234567890=a*b@example.org");
    const char *quoted = "\"prvs=\x1a=a*b\"@example.org";
    struct address again;
    struct onetime_class onetime;

    (void)state;
    assert_int_equal(onetime_classify(&address, &onetime), ONETIME_BATV);
    assert_string_equal(onetime.key, "prvs=\x1a=a*b@example.org");
    assert_int_equal(address_parse(onetime.key, strlen(onetime.key), true, &again),
                     ADDRESS_CONTROL);
    assert_int_equal(address_parse(quoted, strlen(quoted), true, &again), ADDRESS_CONTROL);
    assert_true(address_from_key(onetime.base, &again));
    assert_string_equal(again.local, "a*b");
}

enum { ONETIME_MAX = 128 /* octets of a local part */ };

static void the_longest_local_part_has_a_class_and_a_longer_one_has_not(void **state)
{
    char text[ONETIME_MAX + 64], key[RB_ADDRESS_MAX + 1];
    struct onetime_class onetime;

    (void)state;
    memset(text, 'u', sizeof text);
    memcpy(text, "prvs=1234567890=", 16);
    (void)snprintf(text + ONETIME_MAX, sizeof text - ONETIME_MAX, "@example.org");
    onetime = class_of(text);
    assert_int_equal(onetime.kind, ONETIME_BATV);
    assert_string_equal(onetime.base, text + 16);
    (void)snprintf(key, sizeof key, "prvs=#=%s", text + 16);
    assert_string_equal(onetime.key, key);
    (void)snprintf(text + ONETIME_MAX, sizeof text - ONETIME_MAX, "u@example.org");
    assert_int_equal(class_of(text).kind, ONETIME_NONE);
}

static void the_longest_domain_fits(void **state)
{
    char text[RB_ADDRESS_MAX + 1], key[RB_ADDRESS_MAX + 1];
    struct onetime_class onetime;

    (void)state;
    memset(text, 'd', sizeof text);
    memcpy(text, "prvs=1234567890=u@", 18);
    for (size_t i = 18 + 63; i < RB_ADDRESS_MAX; i += 64)
        text[i] = '.';
    text[RB_ADDRESS_MAX] = '\0';
    onetime = class_of(text);
    assert_int_equal(onetime.kind, ONETIME_BATV);
    assert_string_equal(onetime.base, text + 16);
    (void)snprintf(key, sizeof key, "prvs=#=%s", text + 16);
    assert_string_equal(onetime.key, key);
}

static void the_base_of_a_tagged_list_sender_has_a_class_too(void **state)
{
    const struct onetime_class outer = class_of("prvs=1234567890=l-bounces+u=e.example@l.example");
    const struct onetime_class inner = class_of(outer.base);

    (void)state;
    assert_int_equal(outer.kind, ONETIME_BATV);
    assert_int_equal(inner.kind, ONETIME_VERP);
    assert_string_equal(inner.key, "l-bounces+#=#@l.example");
}

/* A word, or something that a pattern looks for; what comes of it is looked at, not foreseen. */
static const char *const pieces[] = {
    "prvs=",   "SRS0",       "SRS1",     "=",    "==",   "+",  "-",  "_",     ".",      "bounce",
    "bounces", "list",       "-return-", "a",    "b.ex", "12", "7f", "+SRS=", "owner-", "**",
    "*",       "1234567890", "TT",       "news", "+bnc", "é",  "~",  "x",     "_HTML-",
};

static void random_forms_keep_the_rules(void **state)
{
    unsigned seed = (unsigned)time(NULL);

    (void)state;
    print_message("# seed %u\n", seed);
    for (int i = 0; i < 20000; i++) {
        struct address address = {.domain = "example.org"};
        char key[RB_ADDRESS_MAX + 1];
        struct onetime_class onetime;
        for (int n = rand_r(&seed) % 16; n >= 0; n--) {
            const char *piece = pieces[(size_t)rand_r(&seed) % COUNT(pieces)];
            const size_t len = strlen(address.local);
            if (len + strlen(piece) <= ADDRESS_LOCAL_MAX)
                (void)snprintf(address.local + len, sizeof address.local - len, "%s", piece);
        }
        assert_int_equal(address_key(&address, key, sizeof key), RB_OK);
        if (onetime_classify(&address, &onetime) == ONETIME_NONE)
            continue;
        assert_true(strlen(onetime.key) <= strlen(key));
        assert_non_null(strchr(onetime.key, ONETIME_ANYTHING));
        assert_string_equal(strrchr(onetime.key, '@'), "@example.org");
        assert_int_equal(onetime.kind == ONETIME_BATV, onetime.base[0] != '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batv_keeps_the_mailbox),
        cmocka_unit_test(srs_keeps_who_is_forwarded_for),
        cmocka_unit_test(verp_keeps_the_list),
        cmocka_unit_test(a_mailbox_is_of_no_class),
        cmocka_unit_test(what_is_of_no_class_leaves_nothing_behind),
        cmocka_unit_test(what_differs_only_in_its_token_is_of_one_class),
        cmocka_unit_test(another_user_list_customer_or_domain_is_another_class),
        cmocka_unit_test(a_key_is_nobodys_address),
        cmocka_unit_test(the_longest_local_part_has_a_class_and_a_longer_one_has_not),
        cmocka_unit_test(the_longest_domain_fits),
        cmocka_unit_test(the_base_of_a_tagged_list_sender_has_a_class_too),
        cmocka_unit_test(random_forms_keep_the_rules),
    };

    return cmocka_run_group_tests_name("onetime", tests, NULL, NULL);
}
