# SPDX-License-Identifier: BSD-2-Clause
# What stands in contrib/, each by the real program that it is for; one that is not installed is skipped.

TESTS += \
    tests/contrib/test_apparmor.py \
    tests/contrib/test_completion.py \
    tests/contrib/test_fail2ban.py \
    tests/contrib/test_logwatch.py \
    tests/contrib/test_prometheus.py \
    tests/contrib/test_rspamd.py \
    tests/contrib/test_rsyslog.py \
    tests/contrib/test_sieve.py \
    tests/contrib/test_spamassassin.py

EXTRA_DIST += tests/contrib
