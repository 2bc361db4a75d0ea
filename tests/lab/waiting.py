# SPDX-License-Identifier: BSD-2-Clause
"""Waiting for what is to come: looked for again and again, and given up late.

The end is for what never comes. Nothing that is right takes so long, on a machine however slow or
busy: so no check is a matter of speed.
"""

import time

PATIENCE_S = 120
STEP_S = 0.03


def until(look, patience=PATIENCE_S):
    """Calls look() until what it returns is true, or it is given up: the last that it returned."""
    end = time.monotonic() + patience
    while True:
        found = look()
        if found or time.monotonic() > end:
            return found
        time.sleep(STEP_S)
