"""A general model and a scene in, a small specialist of that scene out, compared with its teacher.

SOURCE is a video, a folder of pictures, or a snapshot's folder. The teacher labels it, a network
learns from those labels alone, becomes ONNX, and both are asked about the last part of the scene,
which it has not seen. DIR then holds labelled/ (a snapshot), checkpoint/, model.onnx, and
specialise.html with specialise.json: figures in pairs, times, pictures side by side.

What people have annotated there (--truth, or a snapshot whose test split people labelled) makes it
a judgement; without, it is agreement with the teacher, and says so. Without --recipe, detectors
learn by the recipe `scene-specialist`, classifiers by `classification`. A run that was killed goes
on when the same command is given again; steps whose inputs are the same are not done twice.

A teacher is named as in `label auto`: `person`, `face`, `onnx:FILE`, `release:DIR` and others.
"""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.recipes import recipe_options
from edgefactory.pipelines.screen import Screen

if TYPE_CHECKING:
    from edgefactory.pipelines.specialising import Specialised, Wishes

HELP = "make a small model of one scene from a general one, in one command"
STAGE: str | None = None


def options(parser: ArgumentParser) -> None:
    """The scene, the teacher, and the recipe."""
    parser.add_argument("source", metavar="SOURCE", help="a video, pictures, or a snapshot")
    parser.add_argument("--teacher", metavar="TEACHER", required=True, help="the general model")
    parser.add_argument("--out", metavar="DIR", required=True, help="the folder of what is made")
    parser.add_argument(
        "--classes", metavar="A,B", default="", help="the teacher's, where it does not name them"
    )
    parser.add_argument(
        "--truth", metavar="FILE", help="what people annotated in the last part of the video"
    )
    parser.add_argument("--step", metavar="N", type=int, help="every N-th frame of the video")
    parser.add_argument(
        "--tighten",
        action="store_true",
        help="draw the teacher's boxes tight; for a camera that stands still",
    )
    recipe_options(parser)
    parser.add_argument(
        "--accept", metavar="SCORE", type=float, default=0.4, help="labels count from here on (0.4)"
    )
    parser.add_argument(
        "--workers", metavar="N", type=int, help="processes that label (default: one for each core)"
    )
    parser.add_argument(
        "--tracking", metavar="URI", help="an MLflow store, as sqlite:///FILE; none records nothing"
    )


def run(args: Namespace, screen: Screen) -> Outcome:
    """A scene -> its specialist."""
    from functools import partial

    import msgspec

    from edgefactory.datasets import read_snapshot
    from edgefactory.pipelines.recipes import chosen_recipe
    from edgefactory.pipelines.tracking import tracking_beside

    wishes = _wishes(args)
    screen.progress(0, 0, "starting up")
    from edgefactory.pipelines.specialising import labelled_folder, opened, specialise
    from edgefactory.pipelines.specialpage import claim, write_page

    tracking = tracking_beside(wishes.out, args.tracking)
    choose = partial(chosen_recipe, args, usual={"detection": "scene-specialist"})
    made = specialise(
        wishes, lambda folder: choose(read_snapshot(folder)), screen.progress, tracking
    )
    page = write_page(made, opened(wishes), labelled_folder(wishes), wishes.out, screen.progress)
    screen.clear()
    if not args.json:
        _print(made)
    return Outcome(f"{claim(made)}; {page}", msgspec.to_builtins(made))


def _wishes(args: Namespace) -> "Wishes":
    from pathlib import Path

    from edgefactory.datasets import VerdictSettings
    from edgefactory.datasets.errors import InputError
    from edgefactory.datasets.sampling import SamplingSettings
    from edgefactory.pipelines.specialising import Wishes

    if not 0 < args.accept <= 1:
        raise InputError(f"--accept is {args.accept:g}; expected a score above 0, up to 1")
    if args.step is not None and args.step < 1:
        raise InputError(f"--step is {args.step}; expected 1 or more")
    return Wishes(
        source=Path(args.source),
        teacher=args.teacher,
        out=Path(args.out),
        classes=tuple(name.strip() for name in args.classes.split(",") if name.strip()),
        truth=Path(args.truth) if args.truth else None,
        tighten=args.tighten,
        sampling=SamplingSettings(step=args.step) if args.step else SamplingSettings(),
        verdicts=VerdictSettings(accept=args.accept),
        workers=args.workers,
    )


def _print(made: "Specialised") -> None:
    from rich.table import Table

    from edgefactory.pipelines.consoles import tables_console
    from edgefactory.pipelines.specialpage import wording

    console = tables_console()
    table = Table(box=None, pad_edge=False, header_style="dim")
    for place, head in enumerate(wording.HEADS):
        table.add_column(head, justify="right" if place > 1 else "left")
    for row in wording.rows(made.comparison):
        table.add_row(*row)
    console.print(table)
    console.print(wording.judged_by(made.comparison), style="dim", markup=False, soft_wrap=True)
