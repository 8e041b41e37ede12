"""Evidence in, a decision, two signatures, and sites know what to run.

`build_release` makes the release folder, `gate` judges it, `publish` signs and writes it into a
tree of static files, `verify_published` proves that tree offline. Reading order: `binding`,
`build`, `gate`, `tree`, `publication`.
"""

from edgefactory.registry.aliases import Known, Move, Moved, Shelf, find, move_alias, show
from edgefactory.registry.build import Built, PageMaker, Sources, build_release
from edgefactory.registry.card import Facts
from edgefactory.registry.gate import Finding, Verdict, gate, read_verdict, refuse, write_verdict
from edgefactory.registry.keys import KEY_NAMES, create_keys
from edgefactory.registry.notices import AliasNotice, ReleaseNotice, notify
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
from edgefactory.registry.retrieval import fetch_release
from edgefactory.registry.server import Server, serve
from edgefactory.registry.settings import Licence, ReleaseSettings, RolloutSettings
from edgefactory.registry.versions import register

__all__ = [
    "KEY_NAMES",
    "AliasNotice",
    "Built",
    "Chain",
    "Facts",
    "Finding",
    "KeyHolder",
    "Known",
    "Licence",
    "Move",
    "Moved",
    "PageMaker",
    "Policy",
    "ProvenRelease",
    "Published",
    "ReleaseNotice",
    "ReleaseSettings",
    "RolloutSettings",
    "Server",
    "Shelf",
    "SignedRole",
    "Sources",
    "Verdict",
    "approve",
    "build_release",
    "create_keys",
    "example_policy",
    "fetch_release",
    "find",
    "gate",
    "init_repository",
    "move_alias",
    "notify",
    "propose",
    "publish",
    "read_policy",
    "read_verdict",
    "refresh",
    "refresh_if_due",
    "refuse",
    "register",
    "serve",
    "show",
    "verify_published",
    "write_verdict",
]
