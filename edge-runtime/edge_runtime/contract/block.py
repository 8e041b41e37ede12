"""What may not run any more: signed by the emergency role, obeyed before anything else."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from edge_runtime.contract.release import Count, Name, Sha256

Reason = Annotated[str, Meta(min_length=1, max_length=500, pattern=r"^[^\n\r]*$")]


class BlockedRelease(Struct, frozen=True, forbid_unknown_fields=True):
    """A release that no site may run, by the SHA-256 of its release.json, and why."""

    release: Sha256
    reason: Reason


class Block(Struct, frozen=True, forbid_unknown_fields=True):
    """The block list of `model`, and the lowest sequence that may run at all.

    The newest list holds: a release that it no longer names may run again. `minimum` only rises.
    `minimum_reason` says why it was raised last; it is empty while `minimum` is 0.
    """

    schema: Literal["block/1"]
    model: Name
    releases: tuple[BlockedRelease, ...] = ()
    minimum: Count = 0
    minimum_reason: Annotated[str, Meta(max_length=500, pattern=r"^[^\n\r]*$")] = ""

    def against(self, sequence: int, release: str) -> str:
        """Why the release with that sequence and digest may not run; empty when it may."""
        named = next((b.reason for b in self.releases if b.release == release), "")
        if named:
            return f"blocked: {named}"
        if sequence < self.minimum:
            return f"below the minimum sequence {self.minimum}: {self.minimum_reason}"
        return ""
