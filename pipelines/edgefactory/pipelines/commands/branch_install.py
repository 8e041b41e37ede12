"""Make the slim environment of a branch: the runtime with video, and never torch.

Done once; the same packages again cost nothing.
"""

from argparse import ArgumentParser, Namespace

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen, size

HELP = "make the slim environment of a branch"
STAGE: str | None = None


def options(parser: ArgumentParser) -> None:
    """Where the environment goes."""
    parser.add_argument(
        "--venv", metavar="DIR", help="the environment (default: .venv-edge, or in the cache)"
    )


def run(args: Namespace, screen: Screen) -> Outcome:
    """Install, and look at what is there."""
    from pathlib import Path

    from edgefactory.pipelines.branch import default_venv, install

    venv = Path(args.venv).absolute() if args.venv else default_venv()
    found = install(venv, screen.progress)
    screen.clear()
    said = "installed" if found.changed else "was there already"
    return Outcome(
        f"{venv} {said}: Python {found.version}, {len(found.packages)} packages, "
        f"{size(found.bytes)}, no torch",
        {
            "venv": str(venv),
            "changed": found.changed,
            "python": found.version,
            "packages": dict(found.packages),
            "bytes": found.bytes,
        },
    )
