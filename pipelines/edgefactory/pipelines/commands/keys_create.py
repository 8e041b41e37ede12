"""Make a key of your own: NAME.pem, which stays with you, and NAME.pub, which others need.

A key is called after its role: root-1 to root-3, targets-1 to targets-3, emergency-1 to
emergency-3, line and approver (who sign releases), rollout, snapshot and timestamp (online).
The private file is ed25519, mode 0600, encrypted under EDGEFACTORY_KEYS_PASSPHRASE or what you
type; it is never overwritten. `--demo` makes all keys in one folder, for one machine that plays
everybody. A key in a hardware token is made by the token's own tools; see `keys show`.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen

HELP = "make a key of your own"
STAGE: str | None = None


def options(parser: ArgumentParser) -> None:
    """Which keys, and where."""
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("names", metavar="NAME", nargs="*", default=[], help="the key's name")
    which.add_argument("--demo", action="store_true", help="all keys of a demo")
    parser.add_argument(
        "--keys", metavar="DIR", default="keys", help="the folder (default: ./keys)"
    )


def run(args: Namespace, screen: Screen) -> Outcome:
    """Names -> private and public files."""
    from edgefactory.registry import create_key, create_keys

    folder = Path(args.keys)
    if args.demo:
        names = create_keys(folder)
        screen.note("one folder with everybody's keys is for demos: it proves nothing to anybody")
    else:
        names = tuple(args.names)
        secret = _secret()
        if secret is None:
            screen.note("no passphrase: whoever can read the file can sign")
        for name in names:
            create_key(folder, name, secret)
    return Outcome(
        f"{len(names)} keys in {folder}; hand out the .pub files, never the .pem ones",
        {"folder": str(folder), "names": list(names)},
    )


def _secret() -> bytes | None:
    from edgefactory.datasets.errors import InputError
    from edgefactory.registry.signers import ask, passphrase

    if (given := passphrase()) is not None:
        return given
    typed = ask("passphrase of the new key (empty: none)")
    if not typed:
        return None
    if ask("once more") != typed:
        raise InputError("the two passphrases differ; no key was made")
    return typed.encode()
