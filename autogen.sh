#!/bin/sh
# Makes configure and Makefile.in from configure.ac and Makefile.am.
set -e
cd "$(dirname "$0")"
command -v autoreconf >/dev/null || {
    echo "autogen.sh: autoreconf not found: apt-get install autoconf automake libtool pkg-config" >&2
    exit 1
}
exec autoreconf --install --force --warnings=all,no-obsolete
