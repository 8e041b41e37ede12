"""What the commands of a rollout share: their options, and how a step is told."""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen

if TYPE_CHECKING:
    from edgefactory.registry.rollouts import Place, Step, Where, Witnesses

GATE = 4  # the exit code of "no, not yet"
SHOWN_REFUSED = 3
EVERYWHERE = "everywhere"


def add_place(parser: ArgumentParser) -> None:
    """The published tree, and the keys that sign its rollout."""
    add_published(parser)
    parser.add_argument(
        "--keys",
        metavar="DIR",
        default="keys",
        help="the folder of the rollout, snapshot and timestamp keys (keys)",
    )


def add_published(parser: ArgumentParser) -> None:
    """The published tree."""
    parser.add_argument(
        "--published", metavar="DIR", default="published", help="the published tree (published)"
    )


def add_witnesses(parser: ArgumentParser) -> None:
    """Where the reports are, and who may sign them."""
    parser.add_argument(
        "--reports", metavar="DIR|URL", help="signed reports: a folder, or a URL with one a line"
    )
    parser.add_argument(
        "--devices", metavar="DIR", help="the device.json of each site, from its enrolment"
    )


def place_of(args: Namespace) -> "Place":
    """The place that the options name."""
    from pathlib import Path

    from edgefactory.registry.rollouts import Place

    return Place(Path(args.published), Path(args.keys))


def witnesses_of(args: Namespace) -> "Witnesses | None":
    """The witnesses that the options name; InputError for half of them."""
    from pathlib import Path

    from edgefactory.datasets.errors import InputError
    from edgefactory.registry.rollouts import Witnesses

    if (args.reports is None) != (args.devices is None):
        raise InputError("--reports and --devices belong together; give both or neither")
    return Witnesses(args.reports, Path(args.devices)) if args.reports is not None else None


def parse_where(texts: list[str] | None) -> "Where | None":
    """The filters of `--where hw_class=cpu,region=north,region=south,site=branch-0001`.

    None without the option, no filter at all for `everywhere`. Raises InputError.
    """
    from edgefactory.datasets.errors import InputError
    from edgefactory.registry.rollouts import Where

    if texts is None:
        return None
    found: dict[str, list[str]] = {"hw_class": [], "region": [], "site": []}
    for part in ",".join(texts).split(","):
        key, is_, value = part.partition("=")
        if part == EVERYWHERE:
            continue
        if key not in found or not is_ or not value:
            raise InputError(
                f"--where {part!r} is not hw_class=…, region=…, site=… (separated by commas, a "
                f"key may come again), or {EVERYWHERE}"
            )
        found[key].append(value)
    hardware, regions, only = (tuple(sorted(set(values))) for values in found.values())
    return Where(hardware, regions, only)


def told(step: "Step", did: str, screen: Screen) -> Outcome:
    """The outcome of a step: `did` says what was done, where something was."""
    import msgspec

    rollout = step.rollout
    for refused in step.refused[:SHOWN_REFUSED]:
        screen.note(f"       {refused.why} report {refused.source}: {refused.found}")
    if len(step.refused) > SHOWN_REFUSED:
        screen.note(f"       and {len(step.refused) - SHOWN_REFUSED} refused reports more")
    what = f"{rollout.model} {step.version}"
    ring = rollout.ring or f"{rollout.bound} of 16384"
    figures = {
        "changed": step.changed,
        "version": step.version,
        "rollout": msgspec.to_builtins(rollout),
        "standing": msgspec.to_builtins(step.standing),
        "missing": list(step.missing),
        "refused": msgspec.to_builtins(step.refused),
    }
    if step.missing:
        for line in step.missing:
            screen.note(f"       not yet: {line}")
        return Outcome(f"{what} stays at {ring}: {step.missing[0]}", figures, GATE)
    said = did if step.changed else "was so already, nothing changed"
    return Outcome(f"{what}: {said} ({ring}, edition {rollout.edition})", figures)
