"""What a release must reach: the policy file, parsed strictly."""

import difflib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
import yaml
from msgspec import Meta, Struct

from edge_runtime.contract import Precision, digest
from edge_runtime.contract.release import Share
from edgefactory.datasets.errors import InputError
from edgefactory.registry.files import read_bounded
from edgefactory.registry.strict_yaml import load_yaml

MAX_POLICY_BYTES = 1 << 20
POLICIES = Path(__file__).with_name("policies")

Text = Annotated[str, Meta(min_length=1, max_length=200)]
Margin = Annotated[float, Meta(ge=0.0)]
Limit = Annotated[float, Meta(ge=0.0)]
PublicKey = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
By = Literal["interval", "value"]


class Named(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A rule; `name` is what the verdict calls it."""

    name: Text


class Chosen(Named, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whom a rule looks at: one variant by name, all of a precision or hardware class, or all.

    With `of: best` it is enough that the best of them reaches the limit.
    """

    precision: Precision | None = None
    variant: Text | None = None
    hardware: Text | None = None
    of: Literal["each", "best"] = "each"


class Subjects(Chosen, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which figure of the evidence it looks at."""

    metric: Text
    slice: Text = "all"


class AtLeast(Subjects, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="at_least"):
    """The figure, or the lower end of its 95% interval, is `limit` or more."""

    limit: float
    by: By = "value"


class AtMost(Subjects, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="at_most"):
    """The figure, or the upper end of its 95% interval, is `limit` or less."""

    limit: float
    by: By = "value"


class NonInferiority(
    Subjects, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="non_inferiority"
):
    """A paired difference is not below −`margin`.

    `by: interval` looks at the lower end of its 95% interval (a statistical statement),
    `by: value` at the difference itself.
    """

    margin: Margin
    by: By


class Budget(Chosen, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="budget"):
    """What variants may take on a hardware class. With `of: best`, one keeps all the limits."""

    hardware: Text
    latency_ms: Limit | None = None
    latency_p99_ms: Limit | None = None
    memory_bytes: Limit | None = None
    bytes: Limit | None = None

    def limits(self) -> dict[str, float]:
        """The limits that are given, by metric."""
        given = {name: getattr(self, name) for name in BUDGETS}
        return {name: limit for name, limit in given.items() if limit is not None}


BUDGETS: Final = ("latency_ms", "latency_p99_ms", "memory_bytes", "bytes")


class Parity(Named, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="parity"):
    """With 97.5% confidence each variant takes at least this `share` of its decisions as the FP32
    variant does (the lower end of the interval of `agreement`)."""

    share: Share


class Champion(Named, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="champion"):
    """Not worse than the release that is in use, by a paired test on each slice.

    With confidence 1 − `alpha` a variant loses less than `margin`, on all pictures and (less than
    `slice_margin`; `margin` where it is not given) on each slice of the kinds `slices`. A slice
    with fewer than `least` things to judge is named in the verdict and not judged.
    """

    margin: Margin
    alpha: Annotated[float, Meta(gt=0.0, le=0.5)] = 0.05
    slices: tuple[Literal["class", "source", "time"], ...] = ("class", "source", "time")
    slice_margin: Margin | None = None
    least: Annotated[int, Meta(ge=1)] = 10


class Licences(Named, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="licences"):
    """All that the release states to be made of stands under one of these SPDX identifiers."""

    allowed: Annotated[tuple[Text, ...], Meta(min_length=1)]


class Freshness(Named, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="freshness"):
    """How many days old the newest and the oldest picture of the snapshot may be."""

    newest_days: Limit | None = None
    oldest_days: Limit | None = None


class Approvals(Named, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="approvals"):
    """Who must have signed that they approve this very release, by ed25519 public key in hex."""

    people: Annotated[dict[Text, PublicKey], Meta(min_length=1)]


class Replay(Named, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="replay"):
    """Figures of a command of yours, as a replay of recorded events.

    It is run in the policy's folder with the release's folder as one more argument, and prints one
    JSON document, `figures/1`, about this very release.
    """

    command: Annotated[tuple[Text, ...], Meta(min_length=1)]
    timeout_s: Annotated[float, Meta(gt=0.0, le=86400.0)] = 600.0
    at_least: dict[Text, float] = {}
    at_most: dict[Text, float] = {}


Figured = AtLeast | AtMost | NonInferiority
Rule = (
    AtLeast
    | AtMost
    | NonInferiority
    | Budget
    | Parity
    | Champion
    | Licences
    | Freshness
    | Approvals
    | Replay
)
RULES: Final[tuple[type[Named], ...]] = (
    AtLeast,
    AtMost,
    NonInferiority,
    Budget,
    Parity,
    Champion,
    Licences,
    Freshness,
    Approvals,
    Replay,
)


class Policy(Struct, frozen=True, forbid_unknown_fields=True):
    """All rules that a release must pass. That evidence is bound to bytes is always a rule."""

    schema: Literal["policy/1"]
    rules: Annotated[tuple[Rule, ...], Meta(min_length=1)]


def example_policy(line: str) -> Path:
    """The commented policy that is shipped for the production line `line`."""
    path = POLICIES / f"{line}.yaml"
    known = sorted(p.stem for p in POLICIES.glob("*.yaml"))
    if line not in known:
        raise InputError(f"no policy is shipped for {line!r}; there are {', '.join(known)}")
    return path


def read_policy(path: Path) -> tuple[Policy, str]:
    """The policy at `path` and the SHA-256 of its bytes.

    Raises MissingError, or InputError for unknown or doubled keys and values of a wrong type.
    """
    data = read_bounded(path, MAX_POLICY_BYTES)
    raw: object = None
    try:
        raw = load_yaml(data)
        policy = msgspec.convert(raw, Policy)
    except (yaml.YAMLError, msgspec.ValidationError, UnicodeDecodeError) as error:
        text = " ".join(str(error).split()) + _meant(raw, str(error))
        raise InputError(f"{path} is not a valid policy: {text}") from error
    reason = next(_contradictions(policy), None)
    if reason:
        raise InputError(f"{path}: {reason}")
    return policy, digest(data)


def _contradictions(policy: Policy) -> Iterator[str]:
    names = [rule.name for rule in policy.rules]
    for name in names:
        if names.count(name) > 1:
            yield f"two rules are called {name!r}; give each its own name"
    for rule in policy.rules:
        if isinstance(rule, Chosen) and rule.precision and rule.variant:
            yield f"rule {rule.name!r} names a precision and a variant; give one"
        if isinstance(rule, Budget) and not rule.limits():
            yield f"rule {rule.name!r} limits nothing; give one of {', '.join(BUDGETS)}"
        if isinstance(rule, Freshness) and rule.newest_days is None and rule.oldest_days is None:
            yield f"rule {rule.name!r} limits nothing; give newest_days or oldest_days"
        if isinstance(rule, Replay) and not rule.at_least and not rule.at_most:
            yield f"rule {rule.name!r} limits nothing; give at_least or at_most"


def _meant(raw: object, error: str) -> str:
    """ "; did you mean `limit`?" for a key or a type that is nearly right."""
    unknown = re.search(r"unknown field `([^`]*)`", error)
    strange = re.search(r"Invalid value '([^']*)'", error)
    where = re.search(r"\$\.rules\[(\d+)\]", error)
    tags = {str(kind.__struct_config__.tag): kind for kind in RULES}
    if unknown and where and isinstance(raw, dict):
        kind = tags.get(str(raw["rules"][int(where[1])].get("type")))
        known = list(kind.__struct_fields__) if kind else []
        wrong = unknown[1]
    elif unknown:
        known, wrong = ["schema", "rules"], unknown[1]
    elif strange:
        known, wrong = list(tags), strange[1]
    else:
        return ""
    near = difflib.get_close_matches(wrong, known, 1)
    if near:
        return f"; did you mean `{near[0]}`?"
    return f"; known are {', '.join(known)}" if known else ""
