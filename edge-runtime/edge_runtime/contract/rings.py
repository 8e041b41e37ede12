"""What a site should run by a rollout: decided by the site itself, from signed bytes."""

import hashlib

from edge_runtime.contract.release import Offer, Rollout

BUCKETS = 16384


def bucket(site: str, model: str, sequence: int) -> int:
    """The site's place in the rollout, 0 to BUCKETS - 1; a new draw for every sequence."""
    text = f"{site}\0{model}\0{sequence}".encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") % BUCKETS


def takes_part(rollout: Rollout, site: str, hardware: str, region: str = "") -> bool:
    """True when the rollout's rings and filters let `site` have its release."""
    if rollout.hardware and hardware not in rollout.hardware:
        return False
    if rollout.regions and region not in rollout.regions:
        return False
    if rollout.only and site not in rollout.only:
        return False
    return site in rollout.sites or bucket(site, rollout.model, rollout.sequence) < rollout.bound


def offered(rollout: Rollout, within: bool, running: int | None) -> Offer | None:
    """What a site should run that now runs sequence `running` (None: nothing).

    `within` says whether it takes part. The answer None means: whatever it has.

    - Who takes part runs the release; while the rollout is paused only those who have it already.
    - Who takes no part and has the release keeps it, unless that sequence was withdrawn.
    - Who has nothing, the base or something older, or something withdrawn, runs the base.
    - Without a base, what was withdrawn gives way to the release, whoever takes part.
    """
    if within and not rollout.paused:
        return rollout.offer
    withdrawn = running is not None and running <= rollout.withdrawn
    if running == rollout.sequence and (within or not withdrawn):
        return rollout.offer
    base = rollout.base
    if base is not None:
        if running is None or running <= base.sequence or withdrawn:
            return base
        return None
    newer = running is not None and running > rollout.sequence
    return rollout.offer if withdrawn and newer and not rollout.paused else None
