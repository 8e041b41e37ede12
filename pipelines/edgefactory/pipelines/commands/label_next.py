"""Say which pictures of a snapshot people should look at next, the most useful first.

Useful are pictures of the train split that no person has seen, of which teachers are unsure or
disagree, in which a track has a gap, or where something moves in no box; of those, the ones that
stand for many others and are unlike each other. `label push --items FILE` takes the file.

With --calibration N the first N are random ones instead: what `label auto --max-error` rests on.
"""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen
from edgefactory.pipelines.teaching import chosen_teachers

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from edgefactory.datasets.asking import Question

HELP = "say which pictures people should look at next, and why"
STAGE: str | None = None

SHOWN = 20  # pictures on the screen; the file has all


def options(parser: ArgumentParser) -> None:
    """The snapshot, how many pictures, and what they are judged by."""
    parser.add_argument("snapshot", metavar="SNAP", help="the folder of the snapshot")
    parser.add_argument("--out", metavar="FILE", help="where to write the list, as JSON")
    parser.add_argument(
        "--count", metavar="N", type=int, help="useful pictures (50; 0 with --calibration)"
    )
    parser.add_argument(
        "--calibration", metavar="N", type=int, default=0, help="random pictures ahead of them (0)"
    )
    parser.add_argument(
        "--seed", metavar="N", type=int, default=0, help="of the calibration order (0)"
    )
    parser.add_argument(
        "--teacher",
        metavar="TEACHER",
        action="append",
        default=[],
        help="heard besides what the labels say, as in `label auto`; may be repeated",
    )
    parser.add_argument(
        "--classes", metavar="A,B", default="", help="of teachers that do not name theirs"
    )
    parser.add_argument(
        "--embedding",
        metavar="NAME:FILE",
        help="compare pictures by this torchvision classifier, as resnet18:weights.safetensors "
        "(default: by grey levels, edges and colours)",
    )


def run(args: Namespace, screen: Screen) -> Outcome:
    """A snapshot -> the list of pictures to ask about."""
    from pathlib import Path

    import msgspec

    from edgefactory.datasets.asking import AskSettings, next_questions, write_questions

    count = args.count if args.count is not None else 0 if args.calibration else 50
    wanted = AskSettings(
        count=count,
        calibration=args.calibration,
        seed=args.seed,
        embedding=args.embedding,
        teachers=chosen_teachers(args),
    )
    folder = Path(args.snapshot)
    questions = next_questions(wanted, folder, screen.progress)
    if args.out:
        write_questions(Path(args.out), questions)
    figures = msgspec.to_builtins(questions)
    asked = len(questions.asked)
    summary = f"{asked} pictures to look at, compared by {questions.embedding}"
    if asked < count + args.calibration:
        summary += "; there are no more that people have not seen, or the like of"
    if args.out:
        summary += f"; the list is {args.out}"
    return Outcome("\n".join([*_table(questions.asked, folder), summary]), figures)


def _table(asked: "tuple[Question, ...]", folder: "Path") -> "Iterable[str]":
    """A line for each of the first pictures: place, id, where it is from, why."""
    from edgefactory.datasets import stream_items

    shown = asked[:SHOWN]
    wanted = {question.id for question in shown}
    origin = {
        item.id: item.name or f"{item.source} at {item.captured_at:.2f} s"
        for item in stream_items(folder)
        if item.id in wanted
    }
    for place, question in enumerate(shown, start=1):
        why = ", ".join(question.why)
        yield f"{place:>4}  {question.id[:12]}  {origin[question.id][-40:]:<40}  {why}"
    if len(asked) > SHOWN:
        yield f"      and {len(asked) - SHOWN} more"
