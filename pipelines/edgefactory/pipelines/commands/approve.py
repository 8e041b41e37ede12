"""Sign that you approve a release, for a policy that asks for it (rule `approvals`).

The approval is about these very bytes of RELEASE. The key is KEYS/NAME.pem, ed25519 in PKCS#8, as
the other keys; the public half, which the policy names, is printed. The gate takes the file by
`--approval FILE`.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen

HELP = "sign that you approve a release"
STAGE: str | None = None


def options(parser: ArgumentParser) -> None:
    """What is approved, by whom, and with which key."""
    parser.add_argument("release", metavar="RELEASE", help="a release's folder")
    parser.add_argument("--as", dest="name", metavar="NAME", required=True, help="who approves")
    parser.add_argument("--keys", metavar="DIR", required=True, help="the folder of NAME.pem")
    parser.add_argument("--out", metavar="FILE", required=True, help="the approval")


def run(args: Namespace, screen: Screen) -> Outcome:
    """A release and a key -> a signed approval."""
    from edge_runtime.contract import file_digest
    from edgefactory.datasets.errors import MissingError
    from edgefactory.datasets.files import write_file
    from edgefactory.registry.gating import sign_approval
    from edgefactory.registry.keys import load_signer

    document = Path(args.release) / "release.json"
    if not document.is_file():
        raise MissingError(f"{document} is not there; expected the folder of a release")
    screen.progress(0, 0, "signing")
    release, signer = file_digest(document), load_signer(Path(args.keys), args.name)
    write_file(Path(args.out), sign_approval(release, args.name, signer))
    public = str(signer.public_key.keyval["public"])
    return Outcome(
        f"{args.out}: {args.name} approves {release[:12]}…; public key {public}",
        {"release": release, "name": args.name, "public_key": public},
    )
