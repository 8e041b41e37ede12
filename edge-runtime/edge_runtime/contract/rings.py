"""Whether a site takes part in a rollout: decided by the site itself, from signed bytes."""

import hashlib

from edge_runtime.contract.release import Rollout

BUCKETS = 16384


def bucket(site: str, model: str, sequence: int) -> int:
    """The site's place in the rollout, 0 to BUCKETS - 1; a new draw for every sequence."""
    text = f"{site}\0{model}\0{sequence}".encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") % BUCKETS


def takes_part(rollout: Rollout, site: str, hardware: str, region: str = "") -> bool:
    """True when `site` should run the rollout's release."""
    if rollout.hardware and hardware not in rollout.hardware:
        return False
    if rollout.regions and region not in rollout.regions:
        return False
    return site in rollout.sites or bucket(site, rollout.model, rollout.sequence) < rollout.bound
