"""What a release must reach: the policy file, parsed strictly."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
import yaml
from msgspec import Meta, Struct

from edge_runtime.contract import Precision, digest
from edgefactory.datasets.errors import InputError
from edgefactory.registry.files import read_bounded
from edgefactory.registry.strict_yaml import load_yaml

MAX_POLICY_BYTES = 1 << 20
POLICIES = Path(__file__).with_name("policies")

Text = Annotated[str, Meta(min_length=1, max_length=200)]


class Subjects(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whom a rule looks at: one variant by name, all of a precision, or (with neither) all.

    With `of: best` it is enough that the best of them reaches the limit.
    """

    name: Text
    metric: Text
    precision: Precision | None = None
    variant: Text | None = None
    of: Literal["each", "best"] = "each"
    slice: Text = "all"


class AtLeast(Subjects, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="at_least"):
    """The figure is `limit` or more."""

    limit: float


class AtMost(Subjects, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="at_most"):
    """The figure is `limit` or less."""

    limit: float


class NonInferiority(
    Subjects, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="non_inferiority"
):
    """A paired difference is not below −`margin`.

    `by: interval` looks at the lower end of its 95% interval (a statistical statement),
    `by: value` at the difference itself.
    """

    margin: Annotated[float, Meta(ge=0.0)]
    by: Literal["interval", "value"]


Rule = AtLeast | AtMost | NonInferiority


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
    try:
        policy = msgspec.convert(load_yaml(data), Policy)
    except (yaml.YAMLError, msgspec.ValidationError, UnicodeDecodeError) as error:
        text = " ".join(str(error).split())
        raise InputError(f"{path} is not a valid policy: {text}") from error
    names = [rule.name for rule in policy.rules]
    doubled = next((name for name in names if names.count(name) > 1), None)
    if doubled:
        raise InputError(f"{path}: two rules are called {doubled!r}; give each its own name")
    both = next((rule.name for rule in policy.rules if rule.precision and rule.variant), None)
    if both:
        raise InputError(f"{path}: rule {both!r} names a precision and a variant; give one")
    return policy, digest(data)
