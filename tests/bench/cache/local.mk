# SPDX-License-Identifier: BSD-2-Clause
# The cache beside a bare LMDB program.

check_PROGRAMS += tests/bench/cache/cachebench
tests_bench_cache_cachebench_SOURCES = \
    tests/bench/cache/bare.c \
    tests/bench/cache/bulk.c \
    tests/bench/cache/cachebench.c \
    tests/bench/cache/contender.h \
    tests/bench/cache/ours.c \
    tests/bench/cache/people.c tests/bench/cache/people.h
tests_bench_cache_cachebench_CPPFLAGS = $(AM_CPPFLAGS) -iquote $(top_srcdir)/tests/bench/cache
tests_bench_cache_cachebench_LDADD = libcore.la $(LMDB_LIBS) -lpthread

.PHONY: bench-cache
bench: bench-cache
bench-cache: all tests/bench/cache/cachebench$(EXEEXT)
	$(top_srcdir)/tests/bench/cache/cache.py --builddir $(abs_top_builddir) \
	    --json $(abs_top_builddir)/bench-cache.json

CLEANFILES += bench-cache.json
EXTRA_DIST += tests/bench/cache/cache.py
