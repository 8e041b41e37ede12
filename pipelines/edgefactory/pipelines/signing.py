"""What the commands about keys and signatures share: options, files, and what a person is shown."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from securesystemslib.signer import Signer

    from edgefactory.pipelines.workspace import Workspace
    from edgefactory.registry import Request
    from edgefactory.registry.tree import Tree

KEY_HELP = (
    "the key to sign with: a file, env:VARIABLE, or hsm:NUMBER?label=TOKEN (PKCS#11); passphrase "
    "and PIN come from EDGEFACTORY_KEYS_PASSPHRASE and EDGEFACTORY_HSM_PIN, or are asked for"
)


def add_published(parser: ArgumentParser) -> None:
    """The published tree."""
    parser.add_argument(
        "--published",
        metavar="DIR",
        default="published",
        help="the published tree, or a copy of it (default: ./published)",
    )


def add_online_keys(parser: ArgumentParser) -> None:
    """The keys of whoever publishes."""
    parser.add_argument(
        "--keys",
        metavar="DIR",
        default="keys",
        help="the folder of the online keys, NAME.pem, or NAME.uri with a reference "
        "(default: ./keys)",
    )


def add_requests(parser: ArgumentParser) -> None:
    """Signed requests, copies of one."""
    parser.add_argument(
        "requests", metavar="REQUEST", nargs="+", help="the signed request, or copies of it"
    )


def add_out(parser: ArgumentParser, default: str) -> None:
    """Where the request goes."""
    parser.add_argument(
        "--out", metavar="FILE", default=default, help=f"the request (default: {default})"
    )


def read_requests(paths: list[str]) -> bytes:
    """The request in `paths`, with all signatures of its copies."""
    from edgefactory.registry import merge
    from edgefactory.registry.files import read_bounded
    from edgefactory.registry.requests import MAX_REQUEST_BYTES

    return merge([read_bounded(Path(path), MAX_REQUEST_BYTES) for path in paths])


def write_request_file(path: Path, data: bytes) -> bool:
    """Write a new request; False where the file asks for the same already, and is left as it is.

    Raises InputError when it asks for something else: it may bear signatures.
    """
    from edgefactory.datasets.errors import InputError
    from edgefactory.registry import read_request
    from edgefactory.registry.files import read_bounded, write_atomic
    from edgefactory.registry.requests import MAX_REQUEST_BYTES, asks_the_same

    if path.exists():
        there = read_request(read_bounded(path, MAX_REQUEST_BYTES), str(path))
        if not asks_the_same(there, read_request(data)):
            raise InputError(
                f"{path} asks for something else and may bear signatures; name another file by "
                "--out"
            )
        return False
    write_atomic(path, data)
    return True


def line_signer(workspace: "Workspace", note: Callable[[str], None]) -> "Signer | None":
    """The key by which the line stands for what it does; None where another machine holds it.

    Where there are no keys at all, all are made: one machine plays all the roles in a demo. Of a
    published tree it is one that may sign releases, the line's before others.
    """
    from edgefactory.registry import create_keys
    from edgefactory.registry.keys import APPROVERS, holds, load_signer, owner
    from edgefactory.registry.tree import RELEASES, keys_of

    keys = workspace / "keys"
    if not keys.exists():
        create_keys(keys)
        note("       new keys in keys/ (one machine plays all the roles in a demo)")
    tree = tree_if_any(workspace / "published")
    may = APPROVERS if tree is None else map(owner, keys_of(tree.targets.signed, RELEASES))
    here = sorted((name for name in may if holds(keys, name)), key=lambda n: n[:4] != "line")
    if not here:
        note("       not attested: no key for it in keys/; `release attest --key KEY` signs")
    return load_signer(keys, here[0]) if here else None


def key_of(args: Namespace) -> "Signer":
    """The signer that --key names."""
    from edgefactory.registry import open_signer

    return open_signer(args.key)


def tree_if_any(published: Path) -> "Tree | None":
    """The state of the tree; None when none has been made yet."""
    from edgefactory.registry.tree import load_tree, metadata_folder

    made = (metadata_folder(published) / "timestamp.json").exists()
    return load_tree(published) if made else None


def what_is_missing(request: "Request", tree: "Tree | None") -> str:
    """Whose signatures a request still lacks, in a few words."""
    from edgefactory.registry import lacking

    left = lacking(request, tree)
    return "; ".join(f"{role}: {says}" for role, says in left.items()) or "all signatures are there"
