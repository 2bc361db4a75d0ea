# SPDX-License-Identifier: BSD-2-Clause
# Measurements. No part of `make check`: they take minutes. Each adds its target to `bench`.

.PHONY: bench bench-guest bench-scenarios
bench: bench-guest bench-scenarios

bench-guest: all
	$(top_srcdir)/tests/bench/guest/guest.py --builddir $(abs_top_builddir) \
	    --json $(abs_top_builddir)/bench-guest.json

bench-scenarios: all $(check_PROGRAMS)
	RB_BUILDDIR=$(abs_top_builddir) $(top_srcdir)/tests/scenarios/scenarios.py --times

TESTS += tests/bench/guest/test_guest.py
CLEANFILES += bench-guest.json
EXTRA_DIST += tests/bench/README \
    tests/bench/guest/authenticator.py \
    tests/bench/guest/contenders.py \
    tests/bench/guest/drive.py \
    tests/bench/guest/guest.py \
    tests/bench/guest/population.py \
    tests/bench/guest/questions.py \
    tests/bench/guest/report.py \
    tests/bench/guest/test_guest.py \
    tests/bench/guest/trace.py \
    tests/bench/guest/warp.py \
    tests/bench/guest/zone.py

include tests/bench/cache/local.mk
include tests/bench/load/local.mk
