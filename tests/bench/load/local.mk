# SPDX-License-Identifier: BSD-2-Clause
# Speed under load: its tools, and a target for each bench.

.PHONY: bench-cached bench-soak
.PHONY: bench-uncached bench-burst
.PHONY: bench-tarpit bench-claims
BENCH_LOAD = $(top_srcdir)/tests/bench/load
BENCH_LOAD_TOOLS = tests/bench/load/noopmilter tests/bench/load/smtpload

check_PROGRAMS += tests/bench/load/noopmilter
tests_bench_load_noopmilter_SOURCES = tests/bench/load/noopmilter.c
tests_bench_load_noopmilter_LDADD = libmilterparts.la $(MILTER_LIBS)
check_PROGRAMS += tests/bench/load/smtpload
tests_bench_load_smtpload_SOURCES = tests/bench/load/smtpload.c
tests_bench_load_smtpload_LDADD =

bench: bench-cached bench-soak
bench: bench-uncached bench-burst
bench: bench-tarpit bench-claims

bench-cached: all $(BENCH_LOAD_TOOLS)
	$(BENCH_LOAD)/cached.py --builddir $(abs_top_builddir) --json $(abs_top_builddir)/bench-cached.json

bench-soak: all $(BENCH_LOAD_TOOLS)
	$(BENCH_LOAD)/soak.py --builddir $(abs_top_builddir) --json $(abs_top_builddir)/bench-soak.json

bench-uncached: all $(BENCH_LOAD_TOOLS)
	$(BENCH_LOAD)/uncached.py --builddir $(abs_top_builddir) --json $(abs_top_builddir)/bench-uncached.json

bench-burst: all $(BENCH_LOAD_TOOLS)
	$(BENCH_LOAD)/burst.py --builddir $(abs_top_builddir) --json $(abs_top_builddir)/bench-burst.json

bench-tarpit: all $(BENCH_LOAD_TOOLS)
	$(BENCH_LOAD)/tarpit.py --builddir $(abs_top_builddir) --json $(abs_top_builddir)/bench-tarpit.json

bench-claims: all $(check_PROGRAMS)
	$(BENCH_LOAD)/claims.py --builddir $(abs_top_builddir)

TESTS += tests/bench/load/test_figures.py
TESTS += tests/bench/load/test_growth.py
TESTS += tests/bench/load/test_smtpload.py

CLEANFILES += bench-cached.json bench-soak.json
CLEANFILES += bench-uncached.json bench-burst.json
CLEANFILES += bench-tarpit.json

EXTRA_DIST += tests/bench/load/burst.py
EXTRA_DIST += tests/bench/load/cached.py
EXTRA_DIST += tests/bench/load/claims.py
EXTRA_DIST += tests/bench/load/contenders.py
EXTRA_DIST += tests/bench/load/figures.py
EXTRA_DIST += tests/bench/load/growth.py
EXTRA_DIST += tests/bench/load/processes.py
EXTRA_DIST += tests/bench/load/soak.py
EXTRA_DIST += tests/bench/load/stage.py
EXTRA_DIST += tests/bench/load/tarpit.py
EXTRA_DIST += tests/bench/load/test_figures.py
EXTRA_DIST += tests/bench/load/test_growth.py
EXTRA_DIST += tests/bench/load/test_smtpload.py
EXTRA_DIST += tests/bench/load/traffic.py
EXTRA_DIST += tests/bench/load/uncached.py
