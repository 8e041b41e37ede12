"""Say which key a reference leads to, and write its public half for others.

KEY is a file (keys/root-1.pem), env:VARIABLE, hsm:NUMBER?label=TOKEN (PKCS#11, with PYKCS11LIB
naming the token's library), or the .pub file of somebody else. `--out NAME.pub` writes the public
half under that name: so a key that was made in a hardware token gets its .pub.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen

HELP = "say which key a reference leads to"
STAGE: str | None = None


def options(parser: ArgumentParser) -> None:
    """A reference, and where the public half goes."""
    parser.add_argument("key", metavar="KEY", help="a key's reference, or a .pub file")
    parser.add_argument("--out", metavar="NAME.pub", help="write the public half here")


def run(args: Namespace, _screen: Screen) -> Outcome:
    """A reference -> the key's id and kind."""
    from edgefactory.datasets.errors import InputError
    from edgefactory.registry import open_signer, public_key, read_public, write_public

    out = Path(args.out) if args.out else None
    if out is not None and (out.suffix != ".pub" or out.exists()):
        raise InputError(f"--out {out}: expected a new file called NAME.pub")
    if args.key.endswith(".pub"):
        found = read_public(Path(args.key))
    else:
        stem = Path(args.key).stem if args.key.endswith(".pem") else "unnamed"
        found = public_key(open_signer(args.key), out.stem if out else stem)
    if out is not None:
        write_public(out, found)
    key = found.key()
    return Outcome(
        f"{found.name}: {key.keytype} {key.keyid}",
        {"name": found.name, "keytype": key.keytype, "scheme": key.scheme, "keyid": key.keyid},
    )
