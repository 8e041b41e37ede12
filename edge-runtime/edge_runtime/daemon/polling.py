"""When to ask for updates next: sites spread over the interval, and a troubled server is spared.

A site polls at its own fixed point of every interval, so that 16,000 of them are a steady trickle
even when a whole region gets its power back at once. After a failure it comes back after a random
time below a bound that doubles ("full jitter": Brooker, "Exponential Backoff And Jitter", AWS
Architecture Blog, 2015).
"""

import hashlib
from dataclasses import dataclass

LONGEST_SILENCE_S = 24 * 3600.0  # no server's Retry-After keeps a site away for longer


@dataclass(frozen=True)
class Pace:
    """Seconds: `interval` between polls that went well; after failures the bound of the wait
    starts at `first` and doubles up to `longest`."""

    interval: float = 900.0
    first: float = 30.0
    longest: float = 3600.0


def phase(site: str, interval: float) -> float:
    """The site's own point in every interval, seconds from its beginning."""
    share = int.from_bytes(hashlib.sha256(site.encode()).digest()[:8], "big") / 2**64
    return share * interval


def until_next(pace: Pace, site: str, now: float) -> float:
    """Seconds from `now` (since 1970) to the site's next regular poll, in (0, interval]."""
    wait = (phase(site, pace.interval) - now) % pace.interval
    return wait if 0 < wait <= pace.interval else pace.interval


def after_failure(pace: Pace, failures: int, retry_after: float, draw: float) -> float:
    """Seconds to wait after the latest of `failures` (≥ 1) failed polls in a row.

    `draw` is uniform in [0, 1). `retry_after` is what the server asked for (0: nothing); sites
    that were all told the same come back spread over half as long again.
    """
    bound = min(pace.longest, pace.first * 2.0 ** min(failures - 1, 32))
    asked = min(max(retry_after, 0.0), LONGEST_SILENCE_S)
    return max(draw * bound, asked * (1 + draw / 2))
