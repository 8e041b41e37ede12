"""Prove a published tree as a site would: every signature, digest, threshold and expiry.

Prints the chain of each release: labels, training, variants, evidence, gate, signatures, sites.

WHERE is the folder or the URL of the published tree. Trust starts at --root, which a site gets
by hand; exit code 5 when anything does not verify.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen

HELP = "verify a published tree as a site would"
STAGE: str | None = None


def options(parser: ArgumentParser) -> None:
    """WHERE and the trust anchor."""
    parser.add_argument("where", metavar="WHERE", help="folder or URL of the published tree")
    parser.add_argument("--root", metavar="FILE", help="the trusted 1.root.json")


def run(args: Namespace, screen: Screen) -> Outcome:
    """Walk the chain from the root to the releases."""
    from msgspec import to_builtins

    from edgefactory.datasets.errors import InputError
    from edgefactory.registry import verify_published

    remote = "://" in args.where
    if remote and args.root is None:
        raise InputError("--root FILE is needed for a URL; trust cannot come from the same place")
    where = args.where if remote else Path(args.where)
    root = Path(args.root) if args.root else Path(args.where) / "metadata" / "1.root.json"
    chain = verify_published(where, root)
    if not args.json:
        for release in chain.releases:
            screen.heading(f"{release.model} {release.version}")
            for step in release.steps:
                signed = f"; signed by {' and '.join(step.by)}" if step.by else ""
                screen.note(f"  {step.step:<10}{step.sha256[:12]}…  {step.says}{signed}")
    return Outcome(
        f"{args.where} verifies: {len(chain.roles)} roles, {len(chain.releases)} releases",
        {
            "roles": [str(role.role) for role in chain.roles],
            "releases": len(chain.releases),
            "chains": to_builtins(chain.releases),
        },
    )
