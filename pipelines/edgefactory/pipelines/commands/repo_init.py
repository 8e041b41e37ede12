"""Begin a repository: with all keys of a demo at once, or by a request that the holders sign.

With private keys in the folder (`keys create --demo`) the repository is made now. With public
keys only (one NAME.pub of each holder) a request is written: the holders sign it by `repo sign`,
and `repo apply` makes the repository from it. Sites are enrolled with its metadata/1.root.json.
Running it again changes nothing.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen
from edgefactory.pipelines.signing import add_out, add_published, write_request_file

HELP = "begin a repository"
STAGE: str | None = None


def options(parser: ArgumentParser) -> None:
    """The keys, and where the repository or the request goes."""
    parser.add_argument("keys", metavar="KEYS", help="the folder of keys")
    add_published(parser)
    add_out(parser, "init.request.json")


def run(args: Namespace, _screen: Screen) -> Outcome:
    """Keys -> an empty repository, or a request for one."""
    from edgefactory.registry import init_repository, propose_repository, write_request
    from edgefactory.registry.keys import KEY_NAMES, holds

    keys, published = Path(args.keys), Path(args.published)
    if all(holds(keys, name) for name in KEY_NAMES):
        root = init_repository(published, keys)
        return Outcome(
            f"{published} is a repository; enroll sites with {root}", {"root": str(root)}
        )
    out = Path(args.out)
    changed = write_request_file(out, write_request(propose_repository(keys)))
    return Outcome(
        f"{out} asks for a repository; two holders of root, targets and emergency, the line and "
        "the approver sign it: edgefactory repo sign",
        {"changed": changed, "request": str(out)},
    )
