"""Sign rollout, snapshot and timestamp anew, so that sites go on trusting the tree.

For cron or CI, daily: the timestamp lives two days. When a quarter of its life has gone it is
signed, else nothing changes. Exit code 0: the tree is fresh. 3: a key is missing. 5: the tree does
not verify, or what people sign has expired, and sites refuse it. 6: the disk, or another publisher
at work. What people must sign within 30 days is said each time; `repo rotate --renew` does it.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen
from edgefactory.pipelines.signing import add_online_keys, add_published

HELP = "keep a repository fresh, daily"
STAGE: str | None = None


def options(parser: ArgumentParser) -> None:
    """Tree and keys."""
    add_published(parser)
    add_online_keys(parser)


def run(args: Namespace, screen: Screen) -> Outcome:
    """A tree -> the same with newer signatures, when it is time."""
    from edgefactory.registry import keep_fresh

    found = keep_fresh(Path(args.keys), Path(args.published))
    for role, expires in found.soon.items():
        screen.note(f"{role} expires on {expires:%Y-%m-%d}: edgefactory repo rotate --renew {role}")
    said = "signed anew" if found.changed else "fresh enough"
    return Outcome(
        f"{args.published}: {said}, until {found.expires:%Y-%m-%d %H:%MZ}",
        {
            "changed": found.changed,
            "expires": found.expires.isoformat(),
            "soon": {role: expires.isoformat() for role, expires in found.soon.items()},
        },
    )
