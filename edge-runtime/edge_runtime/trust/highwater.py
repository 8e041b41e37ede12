"""What this box has already seen, so that nothing older is ever believed again.

A TUF client alone accepts an old repository after a power cut has zeroed its cached metadata,
and accepts expired metadata after its clock was set back. The marks kept here close both:

- the version of a role never falls, unless its delegator has given it other keys (the one way
  in which TUF lets a version number start again, after a compromise);
- a role's version counts once its own keys have signed it: what a snapshot says of a role that it
  does not sign raises nothing, else a stolen snapshot key could push it up for ever;
- the edition of a model's rollout never falls under the same keys, and its floor never at all;
- one sequence never names two releases, and a release older than one already seen is believed only
  from a rollout that knows of that newer one (`Rollout.known`): going back is always meant;
- the clock never stands before the latest moment at which a whole chain of metadata verified
  unexpired. A clock that runs ahead raises that moment by at most the life of the shortest-lived
  role, because nothing verifies beyond it.

The functions are pure; `Marks` files are two copies, each sealed by a digest and replaced
atomically, one after the other: a crash or one damaged copy loses nothing.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from edge_runtime import durable
from edge_runtime.contract import Block, digest, encode
from edge_runtime.errors import EdgeRuntimeError, TrustError

CLOCK_TOLERANCE_S = 300.0
MAX_MARKS_BYTES = 1024 * 1024

ROLLOUT = "rollout"  # the role's name

_COPIES = ("marks.a.json", "marks.b.json")
_Count = Annotated[int, Meta(ge=0)]


class RoleMark(Struct, frozen=True, forbid_unknown_fields=True):
    """A role's highest version, under the key set (`keys`: digest of key ids and threshold)."""

    version: _Count
    keys: str


class ModelMark(Struct, frozen=True, forbid_unknown_fields=True):
    """A model's highest release sequence, which release that was, the floor set for it, and the
    highest edition of its rollout, under the key set `edition_keys` of the role.

    `blocked` maps releases that may not run to the reason, `floor_reason` is that of a minimum
    that the emergency role has set. What is UNSET is in no marks of before it was there: they keep
    their bytes, and so their seal.
    """

    sequence: _Count = 0
    release: str = ""
    floor: _Count = 0
    blocked: dict[str, str] | UnsetType = UNSET
    floor_reason: str | UnsetType = UNSET
    edition: _Count | UnsetType = UNSET
    edition_keys: str | UnsetType = UNSET

    def against(self, sequence: int, release: str) -> str:
        """Why the release with that sequence and digest may not run here; empty when it may."""
        reason = self.blocked.get(release, "") if self.blocked else ""
        if reason:
            return f"blocked: {reason}"
        if sequence < self.floor:
            why = f": {self.floor_reason}" if self.floor_reason else ""
            return f"below the floor {self.floor} that was signed{why}"
        return ""


class Marks(Struct, frozen=True, forbid_unknown_fields=True):
    """The high-water marks of a site. `trusted_time` is seconds since 1970 (UTC), 0 if none."""

    schema: Literal["marks/1"] = "marks/1"
    counter: _Count = 0
    roles: dict[str, RoleMark] = {}
    models: dict[str, ModelMark] = {}
    trusted_time: float = 0.0


class _Sealed(Struct, frozen=True, forbid_unknown_fields=True):
    sha256: str
    marks: Marks


def check_clock(marks: Marks, now: float) -> None:
    """Raise TrustError when `now` lies before a moment that signed metadata has proven."""
    if now < marks.trusted_time - CLOCK_TOLERANCE_S:
        raise TrustError(
            f"the clock says {_moment(now)}, but metadata was verified here at "
            f"{_moment(marks.trusted_time)}; set the clock, then try again"
        )


def raise_roles(marks: Marks, found: Mapping[str, RoleMark], now: float) -> Marks:
    """The marks after metadata with the roles of `found` verified unexpired at `now`.

    Raises as `check_roles`.
    """
    check_clock(marks, now)
    check_roles(marks, found)
    return msgspec.structs.replace(
        marks,
        roles={**marks.roles, **found},
        trusted_time=max(marks.trusted_time, now),
    )


def check_roles(marks: Marks, found: Mapping[str, RoleMark]) -> None:
    """Raise TrustError when the version of a role in `found` is lower than one already seen."""
    for role, mark in found.items():
        seen = marks.roles.get(role)
        same_keys = seen is not None and (role == "root" or seen.keys == mark.keys)
        if seen is not None and same_keys and mark.version < seen.version:
            raise TrustError(
                f"role {role} is offered at version {mark.version}, but version {seen.version} "
                "was seen here before; an old repository is being replayed"
            )


def raise_edition(marks: Marks, model: str, edition: int) -> Marks:
    """The marks after a signed rollout of `model`.

    Raises TrustError when its edition lies below one seen under the same keys of its role.
    """
    seen = marks.models.get(model, ModelMark())
    role = marks.roles.get(ROLLOUT)
    keys = role.keys if role is not None else ""
    if edition < (seen.edition or 0) and keys == (seen.edition_keys or ""):
        raise TrustError(
            f"edition {edition} of the rollout of {model} is offered, but edition {seen.edition} "
            "was seen here before; an old rollout is being replayed"
        )
    mark = msgspec.structs.replace(seen, edition=edition, edition_keys=keys)
    return msgspec.structs.replace(marks, models={**marks.models, model: mark})


def raise_floor(marks: Marks, model: str, floor: int) -> Marks:
    """The marks after a signed rollout of `model` set a floor; a floor never falls."""
    seen = marks.models.get(model, ModelMark())
    if floor <= seen.floor:
        return marks
    mark = msgspec.structs.replace(seen, floor=floor, floor_reason=UNSET)
    return msgspec.structs.replace(marks, models={**marks.models, model: mark})


def raise_block(marks: Marks, block: Block) -> Marks:
    """The marks after a signed block list: it replaces the one before, its minimum only rises."""
    seen = marks.models.get(block.model, ModelMark())
    mark = msgspec.structs.replace(
        seen, blocked={blocked.release: blocked.reason for blocked in block.releases}
    )
    if block.minimum > seen.floor:
        mark = msgspec.structs.replace(mark, floor=block.minimum, floor_reason=block.minimum_reason)
    return msgspec.structs.replace(marks, models={**marks.models, block.model: mark})


def raise_model(marks: Marks, model: str, sequence: int, release: str, known: int = 0) -> Marks:
    """The marks after a signed rollout offered `release` of `model` at `sequence`.

    `known` is the highest sequence that the rollout speaks of. Raises TrustError when the
    sequence lies below the floor, or below one already seen that the rollout does not know of, or
    names another release than before.
    """
    seen = marks.models.get(model, ModelMark())
    if sequence < seen.floor:
        raise TrustError(f"{model} is offered at sequence {sequence}, below the floor {seen.floor}")
    if max(sequence, known) < seen.sequence:
        raise TrustError(
            f"{model} is offered at sequence {sequence}, but {seen.sequence} was seen here before, "
            "which its rollout does not take back; to go back, sign it by `edgefactory rollout "
            "rollback`, or publish the older weights under a higher sequence"
        )
    if sequence == seen.sequence and seen.release not in {"", release}:
        raise TrustError(
            f"{model} sequence {sequence} names release {release[:12]}…, but named "
            f"{seen.release[:12]}… before"
        )
    if sequence < seen.sequence:
        return marks
    mark = msgspec.structs.replace(seen, sequence=sequence, release=release)
    return msgspec.structs.replace(marks, models={**marks.models, model: mark})


def save(folder: Path, marks: Marks) -> Marks:
    """Write both copies in `folder`, one after the other; returns the marks as saved."""
    saved = msgspec.structs.replace(marks, counter=marks.counter + 1)
    sealed = encode(_Sealed(digest(encode(saved)), saved))
    for name in _COPIES:
        durable.write(folder / name, sealed)
    return saved


def load(folder: Path) -> Marks:
    """The newest intact copy in `folder`. Raises TrustError when there is none."""
    copies = [copy for name in _COPIES if (copy := _copy(folder / name)) is not None]
    if not copies:
        raise TrustError(
            f"both copies of the high-water marks in {folder} are missing or damaged; "
            "nothing protects this site from old releases: enroll it anew in an empty --state"
        )
    return max(copies, key=lambda marks: marks.counter)


def _copy(path: Path) -> Marks | None:
    try:
        data = durable.read(path, MAX_MARKS_BYTES, "high-water marks")
        sealed = msgspec.json.decode(data, type=_Sealed)
    except (EdgeRuntimeError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return sealed.marks if digest(encode(sealed.marks)) == sealed.sha256 else None


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
