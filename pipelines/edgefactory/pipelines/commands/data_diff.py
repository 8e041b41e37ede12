"""Say what snapshot B differs in from snapshot A: pictures, splits, labels.

Pictures are the same when their bytes are. A label that overlaps one of before by half or more is
the same thing, moved, renamed or judged anew; else one went and another came.
"""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edgefactory.datasets import Difference
    from edgefactory.datasets.label_changes import Kind

HELP = "what two snapshots differ in"
STAGE: str | None = None


def options(parser: ArgumentParser) -> None:
    """The two, and how long the listing is."""
    parser.add_argument("old", metavar="A", help="the folder of the older snapshot")
    parser.add_argument("new", metavar="B", help="the folder of the newer snapshot")
    parser.add_argument(
        "--limit", metavar="N", type=int, default=20, help="pictures to list (default: 20)"
    )


def run(args: Namespace, screen: Screen) -> Outcome:
    """Two snapshots -> what is different."""
    from pathlib import Path

    import msgspec

    from edgefactory.datasets import compare

    found = compare(Path(args.old), Path(args.new), args.limit, screen.progress)
    screen.clear()
    return Outcome(_text(found), msgspec.to_builtins(found))


def _text(found: "Difference") -> str:
    if found.none:
        return f"no difference: {found.same} pictures are the same"
    lines = [f"header: {', '.join(found.header)}"] if found.header else []
    for word, counts in (("added", found.added), ("removed", found.removed)):
        if counts:
            lines.append(f"{word}: {sum(counts.values())} pictures ({_counts(counts)})")
    if found.moved:
        lines.append(f"moved: {sum(found.moved.values())} pictures ({_counts(found.moved)})")
    if found.relabelled:
        lines.append(f"labels changed: {found.relabelled} pictures")
        lines += [f"  {class_}: {_counts(kinds)}" for class_, kinds in found.labels.items()]
        lines += [f"  {count} labels {change}" for change, count in found.classes.items()]
    if found.details:
        lines.append(f"source, time, name or review mark changed: {found.details} pictures")
    lines.append(f"the same: {found.same} pictures")
    lines += [f"  {one.name or one.id[:12]}: {', '.join(one.what)}" for one in found.listed]
    if found.unlisted:
        lines.append(f"  and {found.unlisted} more; --limit lists more of them")
    return "\n".join(lines)


def _counts(counts: "Mapping[Kind, int] | Mapping[str, int]") -> str:
    return ", ".join(f"{count} {what}" for what, count in counts.items())
