# SPDX-License-Identifier: BSD-2-Clause
"""What DNS says of a population: mail hosts, SPF, and the names of whoever sends."""

import ipaddress

import population

HEAD = """\
$ORIGIN example.
$TTL 3600
. SOA ns hostmaster 1 3600 600 86400 60
. NS ns
ns A 192.0.2.53
mta.lab A 198.51.100.10
local MX 10 mta.lab"""
WEB = "198.18.250.80"  # the web sites of all domains; it sends no mail


def text(people):
    """All of it, in the syntax of a zone file."""
    lines = [HEAD]
    for number in range(population.PROVIDERS):
        address = population.provider_address(number)
        lines += _named(f"out{number}.providers", address)
        lines.append(f'_spf{number}.providers TXT "v=spf1 ip4:{address} -all"')
    for number, address in enumerate(people.forwarders):
        lines += _named(f"mail.alumni{number}", address)
    for address in sorted({domain.mail_host for domain in people.domains}):
        lines.append(_pointer(address, f"mx-{address.replace('.', '-')}.hosting.example"))
        lines.append(f"mx-{address.replace('.', '-')}.hosting A {address}")
    for domain in people.domains:
        lines += _domain(domain)
    for bot in people.bots:
        lines += _bot(bot)
    return "\n".join(lines) + "\n"


def _pointer(address, name):
    return f"{ipaddress.ip_address(address).reverse_pointer}. PTR {name}."


def _named(name, address):
    """A machine whose name and address confirm each other."""
    return [f"{name} A {address}", _pointer(address, f"{name}.example")]


def _generic(address):
    """What a network calls a machine for want of a better name."""
    return f"host-{address.replace('.', '-')}.access"


def _domain(domain):
    name = domain.name.removesuffix(".example")
    lines = [f"{name} MX 10 mx.{name}", f"mx.{name} A {domain.mail_host}", f"{name} A {WEB}"]
    if domain.server == "named":
        lines += _named(f"mail.{name}", domain.outgoing)
    elif domain.server != "pool":
        lines.append(f"mail.{name} A {domain.outgoing}")
    if domain.server in ("generic", "beside"):
        lines += _named(_generic(domain.outgoing), domain.outgoing)
    if domain.published != "none":
        text = record(domain)
        pieces = [text[at : at + 255] for at in range(0, len(text), 255)]
        lines.append(f"{name} TXT " + " ".join(f'"{piece}"' for piece in pieces))
    return lines


def record(domain):
    """The domain's SPF."""
    mechanism = {
        "ip4": f"ip4:{domain.outgoing}",
        "include": f"include:_spf{domain.provider}.providers.example",
        "a": f"a:{domain.helo}",
        "mx": "mx",
        "includes": _includes(domain),
    }[domain.form]
    end = {
        "redirect": f"redirect=_spf{domain.provider}.providers.example",
        "endless": "",
        "overlong": "-all",
        "unreadable": "ip4:203.0.113.256 -all",
    }.get(domain.published, domain.published)
    if domain.published == "redirect":
        return f"v=spf1 {end}"
    return f"v=spf1 {mechanism} {end}".strip()


def _includes(domain):
    """One more than RFC 7208 allows; the last names the server."""
    others = [n for n in range(population.PROVIDERS) if n != domain.provider][:10]
    return " ".join(f"include:_spf{n}.providers.example" for n in [*others, domain.provider])


def _bot(bot):
    name = _generic(bot.address)
    if bot.naming == "generic":
        return _named(name, bot.address)
    if bot.naming == "unconfirmed":
        return [_pointer(bot.address, f"{name}.example")]
    if bot.naming == "liar":
        return [_pointer(bot.address, f"mail7.{bot.claims}")]
    return []
