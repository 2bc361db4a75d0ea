# SPDX-License-Identifier: BSD-2-Clause
"""Hosts that are well and hosts that are not, as series over time, for `promtool test rules`.

Series are in promtool's notation, a sample a minute: "5x60" stays 5 for an hour, "0+2x60" grows by 2 each minute. How
many minutes a case lasts is told to what makes one.
"""

LABELS = 'job="ringback",instance="mx"'
HOUR = 60
DAY = 24 * HOUR
# Minutes that a case lasts: what its alert looks back and is pending.
LASTS = {"RingbackNoSessions": 27 * HOUR, "RingbackCatchAll": 26 * HOUR, "RingbackDryRunForgotten": 7 * DAY + 2 * HOUR}
LASTS_ELSE = 3 * HOUR


def steady(value):
    return lambda last: f"{value}x{last}"


def growing(step):
    return lambda last: f"0+{step}x{last}"


def late(step, minutes, before=0):
    """The same, and then, for the last minutes, `step` more in each."""
    return lambda last: f"{before}x{last - minutes - 1} {before + step}+{step}x{minutes}"


def until(step, minutes):
    """`step` in each minute, and for the last minutes no more."""
    return lambda last: f"0+{step}x{last - minutes - 1} {step * (last - minutes)}x{minutes}"


def transactions(reason, verdict="unknown"):
    return f'ringback_transactions_total{{{LABELS},verdict="{verdict}",reason="{reason}",action="accept"}}'


def of(family, labels=""):
    return f"{family}{{{LABELS}{',' if labels else ''}{labels}}}"


# A mail every six seconds, most of them of senders who exist; nothing is wrong.
WELL = {
    of("up"): steady(1),
    of("process_start_time_seconds"): steady(1000),
    of("ringback_healthy", 'part="resolver"'): steady(1),
    of("ringback_healthy", 'part="store"'): steady(1),
    of("ringback_name_servers"): steady(2),
    of("ringback_name_servers_silent"): steady(0),
    of("ringback_config_warnings"): steady(0),
    of("ringback_config_reload_refused"): steady(0),
    of("ringback_identity_warnings"): steady(0),
    of("ringback_dry_run"): steady(0),
    of("ringback_max_wait_seconds"): steady(8),
    of("ringback_sessions_total"): growing(10),
    transactions("accepted", "valid"): growing(7),
    transactions("catch_all"): growing(2),
    transactions("exempt"): growing(50),
    transactions("internal_error"): steady(0),
    of("ringback_callouts_total", 'result="accepted"'): growing(5),
    of("ringback_callouts_total", 'result="blocked"'): growing(0.1),
    of("ringback_callouts_total", 'result="unreachable"'): growing(1),
    of("ringback_wait_seconds_bucket", 'le="1"'): growing(9.8),
    of("ringback_wait_seconds_bucket", 'le="10"'): growing(10),
    of("ringback_wait_seconds_bucket", 'le="+Inf"'): growing(10),
    of("ringback_wait_seconds_count"): growing(10),
    of("ringback_hosts_held_back"): steady(20),
    of("ringback_domains_held_back"): steady(0),
    of("ringback_rates_used_up", 'rate="global"'): steady(0),
    of("ringback_callouts_pending"): steady(10),
    of("ringback_callouts_pending_max"): steady(4096),
    of("ringback_not_called_total", 'reason="busy"'): steady(3),
    of("ringback_retries_scheduled"): steady(100),
    of("ringback_cache_dropped_writes_total"): steady(1),
    of("ringback_cache_bytes"): steady(500),
    of("ringback_cache_max_bytes"): steady(1000),
}

# What is otherwise with a host that one alert, and no other, is for.
ILL = {
    "RingbackDown": {of("up"): steady(0)},
    "RingbackUnhealthy": {of("ringback_healthy", 'part="resolver"'): steady(0)},
    "RingbackNameServerSilent": {of("ringback_name_servers_silent"): steady(1)},
    "RingbackRestarts": {of("process_start_time_seconds"): late(1, 5, before=1000)},
    "RingbackInternalErrors": {transactions("internal_error"): late(1, 5)},
    "RingbackNoSessions": {of("ringback_sessions_total"): until(10, 90)},
    "RingbackBlocked": {of("ringback_callouts_total", 'result="blocked"'): growing(2)},
    "RingbackNobodyReached": {of("ringback_callouts_total", 'result="unreachable"'): growing(20)},
    "RingbackManyUnknown": {transactions("greylisted"): growing(40)},
    "RingbackIdentity": {of("ringback_identity_warnings"): steady(1)},
    "RingbackHostsHeldBack": {of("ringback_hosts_held_back"): steady(200)},
    "RingbackForgedInBulk": {of("ringback_domains_held_back"): steady(1)},
    "RingbackGlobalRateUsedUp": {of("ringback_rates_used_up", 'rate="global"'): steady(1)},
    "RingbackQueueFilling": {of("ringback_callouts_pending"): steady(4000)},
    "RingbackQueueFull": {of("ringback_not_called_total", 'reason="busy"'): late(1, 5)},
    "RingbackWaitsLong": {of("ringback_wait_seconds_bucket", 'le="1"'): growing(5)},
    "RingbackRetriesPilingUp": {of("ringback_retries_scheduled"): steady(6000)},
    "RingbackWritesDropped": {of("ringback_cache_dropped_writes_total"): late(1, 5)},
    "RingbackCacheNearlyFull": {of("ringback_cache_bytes"): steady(950)},
    "RingbackCatchAll": {transactions("catch_all"): growing(12)},
    "RingbackDryRunForgotten": {of("ringback_dry_run"): steady(1)},
    "RingbackReloadRefused": {of("ringback_config_reload_refused"): steady(1)},
    "RingbackConfigWarnings": {of("ringback_config_warnings"): steady(2)},
}


def _case(name, series, firing):
    last = LASTS.get(name, LASTS_ELSE)
    return {
        "name": name,
        "interval": "1m",
        "input_series": [{"series": key, "values": values(last)} for key, values in series.items()],
        "promql_expr_test": [
            {
                "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
                "eval_time": f"{last}m",
                "exp_samples": [{"labels": f'{{alertname="{alert}"}}', "value": 1} for alert in firing],
            }
        ],
    }


def _lasts_days(name):
    return LASTS.get(name, 0) >= 2 * DAY


def _file(rules, interval, cases):
    return {"rule_files": [str(rules)], "evaluation_interval": interval, "tests": cases}


def test_files(rules):
    """What `promtool test rules` takes; JSON is YAML. What lasts for days stands alone and is looked at more seldom, as
    each sample and each look cost time."""
    cases = [_case("a host that is well", WELL, []), _case("an idle one in the night", {of("up"): steady(1)}, [])]
    cases += [_case(alert, WELL | series, [alert]) for alert, series in ILL.items() if not _lasts_days(alert)]
    long = [_case(alert, series, [alert]) for alert, series in ILL.items() if _lasts_days(alert)]
    return [_file(rules, "5m", cases), _file(rules, "1h", long)]
