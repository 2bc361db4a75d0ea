# SPDX-License-Identifier: BSD-2-Clause
"""What a daemon costs, as the kernel counts it: processor time, memory, threads, descriptors."""

import os
import pathlib

TICKS = os.sysconf("SC_CLK_TCK")
# After the name in /proc/PID/stat, counted from 0; proc(5) counts from 1 and has two more before.
PARENT, USER, SYSTEM, CHILDREN_USER, CHILDREN_SYSTEM = 1, 11, 12, 13, 14
KIB_LINES = {"VmHWM": "peak_kib", "VmRSS": "rss_kib", "RssAnon": "anon_kib"}


def _stat(pid):
    text = pathlib.Path(f"/proc/{pid}/stat").read_text(errors="replace")
    return text.rpartition(")")[2].split()


def _alive():
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                yield int(entry), _stat(entry)
            except OSError:
                continue  # ended meanwhile


def cpu_s(pid):
    """Processor time of one process, all its threads, ended ones too."""
    fields = _stat(pid)
    return (int(fields[USER]) + int(fields[SYSTEM])) / TICKS


def tree(pid):
    """The process and its living descendants: pid -> fields of its stat."""
    alive = dict(_alive())
    found, grown = {pid: alive[pid]} if pid in alive else {}, True
    while grown:
        more = {
            child: fields
            for child, fields in alive.items()
            if child not in found and int(fields[PARENT]) in found
        }
        grown = bool(more)
        found.update(more)
    return found


def tree_cpu_s(pid):
    """Processor time of a process and all its descendants, those that have ended too.

    What has ended is counted with whoever waited for it: so no process may be left to init.
    """
    spent = (USER, SYSTEM, CHILDREN_USER, CHILDREN_SYSTEM)
    return sum(int(fields[place]) for fields in tree(pid).values() for place in spent) / TICKS


def memory(pid):
    """{"peak_kib", "rss_kib", "anon_kib", "threads"} of one process."""
    found = {}
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as status:
        for line in status:
            name, _, value = line.partition(":")
            if name in KIB_LINES:
                found[KIB_LINES[name]] = int(value.split()[0])
            elif name == "Threads":
                found["threads"] = int(value)
    return found


def reset_peak(pid):
    """From now on peak_kib is the peak since now."""
    pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def tree_pss_kib(pid):
    """Memory of a process and its descendants; what several share is divided among them."""
    return sum(_pss_kib(member) for member in tree(pid))


def _pss_kib(pid):
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii", errors="replace") as rollup:
            return next(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))
    except (OSError, StopIteration):  # ended meanwhile
        return 0
