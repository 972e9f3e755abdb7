# SPDX-License-Identifier: MIT
"""How the tests of whole programs wait for what must come."""
import time


def wait_for(condition, what, seconds=30):
    """The first true value of condition(), asked for every few hundredths of a second; AssertionError after so long."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)
