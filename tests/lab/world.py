# SPDX-License-Identifier: BSD-2-Clause
"""Who lives in the lab's internet: its DNS zone, and what each mail host does.

To add somebody, add a domain to ZONE and, where it has a mail host of its own, a block to HOSTS
(its grammar: ../smtpd/README). Unless a block says otherwise a host takes every sender and
recipient, at once. Addresses from 192.0.2.240 on never answer at all; where no host lives on any
other address, connections are refused.
"""

SLOW_COUNT = 100  # domains slow0.example to slow99.example, each with a host of its own
SLOW_HOSTS = [f"192.0.2.{100 + n}" for n in range(SLOW_COUNT)]
SLOW_STEP_MS = 600  # 1.8 s until an address is accepted: the MTA's own time counts less
# Sites with an MTA and a network of their own (sites.py): NAME.example, mx.NAME.example.
SITES = {
    "postfix-1": "198.18.1.2",
    "postfix-2": "198.18.2.2",
    "sendmail-1": "198.18.3.2",
    "sendmail-2": "198.18.4.2",
    "exim-null": "198.18.5.2",
    "exim-named": "198.18.6.2",
    "probes": "198.18.7.2",
    "probes-named": "198.18.8.2",
    "called-postfix": "198.18.9.2",
    "called-postscreen": "198.18.10.2",
    "called-exim": "198.18.11.2",
    "narrow-exim": "198.18.12.2",
    "called-dovecot": "198.18.13.2",
    "quota-dovecot": "198.18.14.2",
    "limit-postfix": "198.18.15.2",
    "talks-postfix-1": "198.18.16.2",
    "talks-postfix-2": "198.18.17.2",
    "talks-sendmail-1": "198.18.18.2",
    "talks-sendmail-2": "198.18.19.2",
    "mute-postfix": "198.18.20.2",
    "mute-sendmail": "198.18.21.2",
    "farm-postfix": "198.18.22.2",
    "screened-postfix": "198.18.23.2",
    "six-postfix": "198.18.24.2",
    "six-sendmail": "198.18.25.2",
}
# Those of them that have an address of IPv6, too.
SIX = {"six-postfix": "2001:db8:52:24::2", "six-sendmail": "2001:db8:52:25::2"}
# Those of them that are stores behind the lab's MTA, which takes mail for their domains.
STORES = ["quota-dovecot", "limit-postfix"]
# Sites with several domains: those that check_hosts calls.
DOMAINS = {
    "called-postfix": [f"postfix{number}.example" for number in range(4)],
    "called-exim": [f"exim{number}.example" for number in range(3)],
    "narrow-exim": [f"narrow{number}.example" for number in range(6)],
}
# A block list of the DNS, and whom it lists: all of us.
BLOCK_LIST = "bl.example"

ZONE = """
$ORIGIN example.
$TTL 300
.               SOA   ns hostmaster 1 3600 600 86400 60
.               NS    ns
ns              A     192.0.2.53

; People with ordinary mail hosts: `alice`, `bob` and whoever is called `user-...` exist.
real            MX    10 mx.real
mx.real         A     192.0.2.10
apex            A     192.0.2.11                 ; no MX: mail goes to the domain's own address
bulk            MX    10 mx.bulk
mx.bulk         A     192.0.2.12
crowd           MX    10 mx.crowd
mx.crowd        A     192.0.2.13
vouching        MX    10 mx.vouching             ; the lab's clients may send for it
mx.vouching     A     192.0.2.14
vouching        TXT   "v=spf1 ip4:203.0.113.0/24 -all"
doubting        MX    10 mx.doubting             ; they are probably not its own
mx.doubting     A     192.0.2.15
doubting        TXT   "v=spf1 mx ~all"
v6              MX    10 mx.v6
mx.v6           AAAA  2001:db8:25::10

; Domains that no mail can go to. (no-such.example is not here at all.)
nullmx          MX    0 .
no-host         TXT   "neither MX nor address"
mx-private      MX    10 private
private         A     10.1.2.3
mx-loopback     MX    10 loopback
loopback        A     127.0.0.1

; Mail hosts that tell us less than we would like.
catchall        MX    10 mx.catchall
mx.catchall     A     192.0.2.20
grey            MX    10 mx.grey
mx.grey         A     192.0.2.21
patient         MX    10 mx.patient
mx.patient      A     192.0.2.60
blocks          MX    10 mx.blocks
mx.blocks       A     192.0.2.22
blocks-early    MX    10 mx.blocks-early
mx.blocks-early A     192.0.2.23
null-refused    MX    10 mx.null-refused
mx.null-refused A     192.0.2.24
tls             MX    10 mx.tls
mx.tls          A     192.0.2.25
tls-only        MX    10 mx.tls-only
mx.tls-only     A     192.0.2.26
tls-broken      MX    10 mx.tls-broken
mx.tls-broken   A     192.0.2.27
tls-wanted      MX    10 mx.tls-wanted
mx.tls-wanted   A     192.0.2.28
full            MX    10 mx.full
mx.full         A     192.0.2.29
second          MX    10 mx1.second              ; the first defers, the second knows
second          MX    20 mx2.second
mx1.second      A     192.0.2.30
mx2.second      A     192.0.2.31
rude            MX    10 mx.rude
mx.rude         A     192.0.2.32
garbage         MX    10 mx.garbage
mx.garbage      A     192.0.2.33
odd             MX    10 mx.odd
mx.odd          A     192.0.2.34

; One for each place and kind of a temporary refusal.
temp-banner     MX    10 mx.temp-banner
mx.temp-banner  A     192.0.2.40
temp-ehlo       MX    10 mx.temp-ehlo
mx.temp-ehlo    A     192.0.2.41
temp-mail       MX    10 mx.temp-mail
mx.temp-mail    A     192.0.2.42
temp-421        MX    10 mx.temp-421
mx.temp-421     A     192.0.2.43
temp-450        MX    10 mx.temp-450
mx.temp-450     A     192.0.2.44
temp-451        MX    10 mx.temp-451
mx.temp-451     A     192.0.2.45
temp-452        MX    10 mx.temp-452
mx.temp-452     A     192.0.2.46
temp-459        MX    10 mx.temp-459
mx.temp-459     A     192.0.2.47

; Trouble on the way.
dead            MX    10 mx.dead
mx.dead         A     192.0.2.241                ; never answers
refused         MX    10 mx.refused
mx.refused      A     192.0.2.49                 ; nobody lives there
tarpit          MX    10 mx.tarpit
mx.tarpit       A     192.0.2.50

; People whose domain disowns every client of ours, but signs what it sends.
signs           MX    10 mx.signs
signs           TXT   "v=spf1 -all"
mx.signs        A     192.0.2.61

; Hosts that are asked whether they are talking to us, by what they say.
says-yes        MX    10 mx.says-yes
mx.says-yes     A     192.0.2.220
mx.says-no      A     192.0.2.221
mx.says-maybe   A     192.0.2.222
mx.says-unknown A     192.0.2.223
mx.says-nothing A     192.0.2.224
mx.says-hello-late A  192.0.2.225
*.victim        A     192.0.2.226                 ; whom any number of names stand for

; Ourselves: clients' names and the MTA's.
client.lab      A     203.0.113.1
mta.lab         A     198.51.100.10
local           MX    10 mta.lab
""" + "".join(
    f"slow{n:<11} MX    10 mx.slow{n}\nmx.slow{n:<8} A     192.0.2.{100 + n}\n"
    for n in range(SLOW_COUNT)
)
ZONE += "".join(
    f"{name:<15} MX    10 mx.{name}\nmx.{name:<12} A     {address}\n"
    for name, address in SITES.items()
)
ZONE += "".join(
    f"{domain.removesuffix('.example'):<15} MX    10 mx.{name}\n"
    for name, domains in DOMAINS.items()
    for domain in domains
)
ZONE += "".join(f"mx.{name:<12} AAAA  {address}\n" for name, address in SIX.items())
ZONE += "10.100.51.198.bl A 127.0.0.2\n"

BROKEN_ZONES = ["servfail.example"]  # the DNS server answers SERVFAIL for these

HOSTS = f"""
host * {{
    rcpt alice@*   250
    rcpt bob@*     250
    rcpt user-*@*  250
    rcpt *         550 "5.1.1 no such user"
}}

# Ordinary ones.
host 192.0.2.10 mx.real.example  {{ step 20ms }}
host 192.0.2.11 apex.example     {{ step 20ms }}
host 192.0.2.12 mx.bulk.example  {{ step 5ms }}
host 192.0.2.13 mx.crowd.example {{ step 200ms }}
host 192.0.2.14 mx.vouching.example {{ step 20ms }}
host 192.0.2.15 mx.doubting.example {{ step 20ms }}
host 2001:db8:25::10 mx.v6.example {{ step 20ms }}
host 192.0.2.100-192.0.2.199 mx.slow.example {{ step {SLOW_STEP_MS}ms }}

# Those that tell us less than we would like.
host 192.0.2.20 mx.catchall.example {{ rcpt * 250 }}
host 192.0.2.21 mx.grey.example {{
    greylist 5m 450 "4.2.0 Greylisted, please try again in 300 seconds"
}}
host 192.0.2.61 mx.signs.example {{ }}
host 192.0.2.60 mx.patient.example {{ greylist 5s 450 "4.2.0 Greylisted" }}
host 192.0.2.22 mx.blocks.example {{
    rcpt * 550 "5.7.1 Service unavailable; client [198.51.100.10] blocked using bl.example"
}}
host 192.0.2.23 mx.blocks-early.example {{
    banner 554 "5.7.1 198.51.100.10 has a poor reputation, see http://bl.example/" then close
}}
host 192.0.2.24 mx.null-refused.example {{ mail <> 550 "5.7.1 null sender is not welcome here" }}
host 192.0.2.25 mx.tls.example {{ starttls on }}
host 192.0.2.26 mx.tls-only.example {{ starttls on; tls_required }}
host 192.0.2.27 mx.tls-broken.example {{ starttls garbage }}
host 192.0.2.28 mx.tls-wanted.example {{ tls_required }}
host 192.0.2.29 mx.full.example {{ rcpt full@* 552 "5.2.2 mailbox full" }}
host 192.0.2.30 mx1.second.example {{ rcpt * 451 "4.3.0 cannot look that up now" }}
host 192.0.2.31 mx2.second.example {{ }}
host 192.0.2.32 mx.rude.example {{
    rcpt * 550 "5.1.1 no such user \\x01\\x1b[31m\\xc3\\xa9 that is 100% sure %n"
}}
host 192.0.2.33 mx.garbage.example {{ banner raw "SSH-2.0-OpenSSH_9.2\\r\\n" }}
# Its users' addresses are what the grammar has only in quotes, or not at all.
host 192.0.2.34 mx.odd.example {{
    rcpt "\\"user*\\"@*" 250
    rcpt user*@* 250
}}

# Temporary refusals, of each kind and at each place.
host 192.0.2.40 mx.temp-banner.example {{ banner 421 "4.3.2 too busy" then close }}
host 192.0.2.41 mx.temp-ehlo.example {{ ehlo 451 "4.3.0 not now"; helo 451 "4.3.0 not now" }}
host 192.0.2.42 mx.temp-mail.example {{ mail * 451 "4.3.0 not now" }}
host 192.0.2.43 mx.temp-421.example {{ rcpt * 421 "4.3.2 closing down" then close }}
host 192.0.2.44 mx.temp-450.example {{ rcpt * 450 "4.2.1 mailbox busy" }}
host 192.0.2.45 mx.temp-451.example {{ rcpt * 451 "4.1.1 user unknown, or so it seems now" }}
host 192.0.2.46 mx.temp-452.example {{ rcpt * 452 "4.3.1 insufficient system storage" }}
host 192.0.2.47 mx.temp-459.example {{ rcpt * 459 "no such user" }}

# Hosts that are asked whether they are talking to us.
host 192.0.2.220 mx.says-yes.example     {{ other "AYTTM*" 450 "4.5.0 AYTTM yes %a" }}
host 192.0.2.221 mx.says-no.example      {{ other "AYTTM*" 450 "4.5.0 AYTTM no" }}
host 192.0.2.222 mx.says-maybe.example   {{ other "AYTTM*" 450 "4.5.0 AYTTM maybe %a" }}
host 192.0.2.223 mx.says-unknown.example {{ other "AYTTM*" 450 "4.5.0 AYTTM unknown" }}
host 192.0.2.224 mx.says-nothing.example {{ }}
host 192.0.2.225 mx.says-hello-late.example {{ banner_delay 20s }}
host 192.0.2.226 victim.example {{ }}

# Trouble on the way.
host 192.0.2.50 mx.tarpit.example {{ drip 1s }}
"""
