"""Evidence in, a decision, two signatures, and sites know what to run.

`build_release` makes the release folder, `gate` judges it, `publish` signs and writes it into a
tree of static files, `verify_published` proves that tree offline. Reading order: `binding`,
`build`, `gate`, `tree`, `publication`.
"""

from edgefactory.registry.build import Built, PageMaker, Sources, build_release
from edgefactory.registry.card import Facts
from edgefactory.registry.gate import Finding, Verdict, gate, read_verdict, refuse, write_verdict
from edgefactory.registry.keys import KEY_NAMES, create_keys
from edgefactory.registry.policy import Policy, example_policy, read_policy
from edgefactory.registry.proof import (
    Chain,
    KeyHolder,
    ProvenRelease,
    SignedRole,
    verify_published,
)
from edgefactory.registry.publication import Published, approve, propose, publish
from edgefactory.registry.repository import init_repository, refresh, refresh_if_due
from edgefactory.registry.server import Server, serve
from edgefactory.registry.settings import Licence, ReleaseSettings, RolloutSettings
from edgefactory.registry.versions import register

__all__ = [
    "KEY_NAMES",
    "Built",
    "Chain",
    "Facts",
    "Finding",
    "KeyHolder",
    "Licence",
    "PageMaker",
    "Policy",
    "ProvenRelease",
    "Published",
    "ReleaseSettings",
    "RolloutSettings",
    "Server",
    "SignedRole",
    "Sources",
    "Verdict",
    "approve",
    "build_release",
    "create_keys",
    "example_policy",
    "gate",
    "init_repository",
    "propose",
    "publish",
    "read_policy",
    "read_verdict",
    "refresh",
    "refresh_if_due",
    "refuse",
    "register",
    "serve",
    "verify_published",
    "write_verdict",
]
