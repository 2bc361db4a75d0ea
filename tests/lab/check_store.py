# SPDX-License-Identifier: BSD-2-Clause
"""The cache goes away, or its disk is full, under a daemon that runs: mail flows, and it is said."""

import contextlib
import os
import shutil
import subprocess

import check_verdicts
import waiting

FORGED = "nobody@real.example"
HOST = "192.0.2.10"  # world.py: real.example's
REMOVED = "was removed or replaced while it was open; opened anew"
LOST = "what is learned is not kept"


def run(tap, rig):
    rig.milter.start_fresh()
    _removed(tap, rig)
    _replaced(tap, rig)
    _full(tap, rig)
    rig.milter.start_fresh()


def _asked(tap, rig, text, connections, source):
    """A mail with a forged sender is refused; what that cost its mail host."""
    rig.hosts.reset()
    mail = rig.send(FORGED, source=source)
    tap.equal(check_verdicts.told(mail), check_verdicts.REJECT, f"{text}: mail is refused", mail)
    tap.equal(rig.asked(HOST).connections, connections, f"{text}: connections to the mail host")


def _same_for_all(tap, rig, text):
    """The daemon and the tool have the same cache before them."""
    seen = waiting.until(lambda: rig.milter.cached(FORGED))
    tap.equal(seen, ("invalid", "no_such_user"), f"{text}: `ringback cache` finds the new answer")
    entries = rig.milter.status()["cache"]["entries"]
    counted = rig.milter.ringback_json("cache", "stats")[0]["addresses"]
    tap.equal(entries, counted, f"{text}: `ringback status` counts the same records")


def _removed(tap, rig):
    text = "the cache's folder is removed"
    _asked(tap, rig, "before", 1, "203.0.113.1")
    waiting.until(lambda: rig.milter.cached(FORGED))
    begins_at = len(rig.milter.log())
    shutil.rmtree(rig.milter.store)
    status, said, _ = rig.milter.ringback("reload")
    tap.ok(status == 0 and REMOVED in said, f"{text}: `ringback reload` sees it", status, said)
    lines = [line for line in rig.milter.log()[begins_at:].splitlines() if REMOVED in line]
    told = [line for line in lines if "error: " in line and "reload: " not in line]
    tap.equal(len(told), 1, f"{text}: one line in the log, an error", *lines)
    _asked(tap, rig, text, 1, "203.0.113.2")
    _same_for_all(tap, rig, text)
    _asked(tap, rig, f"{text}, and once more", 0, "203.0.113.3")


def _replaced(tap, rig):
    """By another one, as a backup is put back; the daemon finds out by itself."""
    text = "the cache's folder is replaced"
    away, other = rig.milter.folder / "away", rig.milter.folder / "other"
    shutil.copytree(rig.milter.store, other)
    for path in (other, *other.iterdir()):
        shutil.chown(path, "nobody", "nogroup")
    rig.milter.ringback("cache", "purge", "--all")
    begins_at = len(rig.milter.log())
    os.rename(rig.milter.store, away)
    os.rename(other, rig.milter.store)
    tap.ok(waiting.until(lambda: REMOVED in rig.milter.log()[begins_at:]), f"{text}: it is noticed")
    _asked(tap, rig, f"{text}: what is there is known", 0, "203.0.113.4")
    _same_for_all(tap, rig, text)
    shutil.rmtree(away)


@contextlib.contextmanager
def _small_disk(folder, octets):
    """A disk of its own under the folder."""
    options = f"size={octets},mode=0755,uid=nobody,gid=nogroup"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "ringback-lab", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=False)


def _full(tap, rig):
    text = "the disk is full"
    rig.milter.stop()
    shutil.rmtree(rig.milter.store)
    rig.milter.store.mkdir()
    with _small_disk(rig.milter.store, 2 << 20):
        rig.milter.start()
        ballast = rig.milter.store / "ballast"
        with contextlib.suppress(OSError), open(ballast, "wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        begins_at = len(rig.milter.log())
        mails = [rig.send(f"user-{n}@bulk.example", source="203.0.113.5") for n in range(40)]
        odd = [mail for mail in mails if not mail.accepted]
        tap.ok(not odd, f"{text}: mail flows", *odd[:3])
        tap.ok(waiting.until(lambda: LOST in rig.milter.log()[begins_at:]), f"{text}: it is said")
        rig.send("user-40@bulk.example", source="203.0.113.5")
        dropped = rig.milter.status()["cache"]["dropped_writes"]
        tap.ok(dropped > 0, f"{text}: `ringback status` counts what is lost", dropped)
        lines = [line for line in rig.milter.log()[begins_at:].splitlines() if LOST in line]
        tap.ok(
            len(lines) == 1 and "warning: " in lines[0] and "No space left" in lines[0],
            f"{text}: in one line, which says why",
            *lines,
        )
        ballast.unlink()
        rig.send("alice@bulk.example", source="203.0.113.6")
        found = waiting.until(lambda: rig.milter.cached("alice@bulk.example"))
        tap.equal(found, ("valid", "accepted"), f"{text} no more: what is learned is kept again")
        tap.equal(rig.milter.stop(), 0, f"{text}: the daemon ends in order")
