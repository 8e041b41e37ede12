"""Evidence in, a decision, two signatures, and sites know what to run.

`build_release` makes the release folder, `gate` judges it, `publish` signs and writes it into a
tree of static files, `verify_published` proves that tree offline. Reading order: `binding`,
`build`, `gate`, `tree`, `publication`.
"""

from edgefactory.registry.aliases import Known, Move, Moved, Shelf, find, move_alias, show
from edgefactory.registry.attestations import Attested, attest_release, attest_verdict
from edgefactory.registry.bucket import Synced, sync
from edgefactory.registry.build import Built, PageMaker, Sources, build_release
from edgefactory.registry.card import Facts
from edgefactory.registry.chain import KeyHolder, Step
from edgefactory.registry.emergency import Ban, propose_ban
from edgefactory.registry.gate import (
    Finding,
    Given,
    Verdict,
    gate,
    read_verdict,
    refuse,
    write_verdict,
)
from edgefactory.registry.keys import (
    KEY_NAMES,
    PublicKey,
    create_key,
    create_keys,
    public_key,
    read_public,
    write_public,
)
from edgefactory.registry.notices import AliasNotice, ReleaseNotice, notify
from edgefactory.registry.policy import Policy, example_policy, read_policy
from edgefactory.registry.proof import (
    Chain,
    ProvenRelease,
    SignedRole,
    verify_published,
)
from edgefactory.registry.publication import Published, approve, is_published, propose, publish
from edgefactory.registry.repository import (
    Freshness,
    apply_request,
    init_repository,
    keep_fresh,
    propose_repository,
    refresh,
    refresh_if_due,
)
from edgefactory.registry.requests import (
    Request,
    lacking,
    merge,
    read_request,
    sign_request,
    write_request,
)
from edgefactory.registry.retrieval import fetch_release
from edgefactory.registry.review import new_releases, review
from edgefactory.registry.rotation import KeyChange, propose_rotation
from edgefactory.registry.server import Server, serve
from edgefactory.registry.settings import Licence, ReleaseSettings, RolloutSettings
from edgefactory.registry.signers import open_signer
from edgefactory.registry.stick import Exported, export_stick
from edgefactory.registry.versions import register

__all__ = [
    "KEY_NAMES",
    "AliasNotice",
    "Attested",
    "Ban",
    "Built",
    "Chain",
    "Exported",
    "Facts",
    "Finding",
    "Freshness",
    "Given",
    "KeyChange",
    "KeyHolder",
    "Known",
    "Licence",
    "Move",
    "Moved",
    "PageMaker",
    "Policy",
    "ProvenRelease",
    "PublicKey",
    "Published",
    "ReleaseNotice",
    "ReleaseSettings",
    "Request",
    "RolloutSettings",
    "Server",
    "Shelf",
    "SignedRole",
    "Sources",
    "Step",
    "Synced",
    "Verdict",
    "apply_request",
    "approve",
    "attest_release",
    "attest_verdict",
    "build_release",
    "create_key",
    "create_keys",
    "example_policy",
    "export_stick",
    "fetch_release",
    "find",
    "gate",
    "init_repository",
    "is_published",
    "keep_fresh",
    "lacking",
    "merge",
    "move_alias",
    "new_releases",
    "notify",
    "open_signer",
    "propose",
    "propose_ban",
    "propose_repository",
    "propose_rotation",
    "public_key",
    "publish",
    "read_policy",
    "read_public",
    "read_request",
    "read_verdict",
    "refresh",
    "refresh_if_due",
    "refuse",
    "register",
    "review",
    "serve",
    "show",
    "sign_request",
    "sync",
    "verify_published",
    "write_public",
    "write_request",
    "write_verdict",
]
