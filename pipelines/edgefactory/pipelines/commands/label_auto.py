"""Let one or several teachers label a snapshot; the labelled snapshot is a new one.

What people said stays, what a machine said before is replaced. In footage, tracks across frames
fill gaps and remove flicker. With --max-error the labels are accepted up to a stated error, which
rests on the pictures of the calibration order that people have reviewed (`label next
--calibration`); without it, by their score alone. An interrupted run goes on where it stopped.

A teacher is `person`, `face`, `text`, `onnx:FILE`, `openvino:FILE.xml`,
`torchvision:NAME:FILE.safetensors`, `release:DIR` or `open-vocabulary:DIR`, with options as in
`onnx:model.onnx?tile=0.5`. Several are fused.
"""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen
from edgefactory.pipelines.teaching import chosen_teachers

if TYPE_CHECKING:
    from edgefactory.datasets import AutoLabelled, AutoLabelSettings

HELP = "label a snapshot by teachers, with a stated error where that is wanted"
STAGE: str | None = None


def options(parser: ArgumentParser) -> None:
    """The snapshot, its teachers, and what is accepted."""
    parser.add_argument("snapshot", metavar="SNAP", help="the folder of the snapshot")
    parser.add_argument("--out", metavar="NEW", required=True, help="the new snapshot's folder")
    parser.add_argument(
        "--teacher",
        metavar="TEACHER",
        action="append",
        required=True,
        help="who labels; give it again for several teachers",
    )
    parser.add_argument(
        "--classes",
        metavar="A,B",
        default="",
        help="the classes of a model that does not name them, or what to look for",
    )
    _add_work(parser)
    _add_verdicts(parser)
    _add_bound(parser)


def _add_work(parser: ArgumentParser) -> None:
    work = parser.add_argument_group("how the work is done")
    work.add_argument("--engine", choices=("openvino", "onnxruntime"), default="openvino")
    work.add_argument(
        "--precision",
        choices=("auto", "f32", "bf16"),
        default="auto",
        help="auto: bf16 where OpenVINO and this CPU have it (default)",
    )
    work.add_argument(
        "--workers", metavar="N", type=int, help="processes (default: one for each core)"
    )
    work.add_argument(
        "--batch", metavar="N", type=int, default=4, help="pictures a process takes at once (4)"
    )


def _add_verdicts(parser: ArgumentParser) -> None:
    verdicts = parser.add_argument_group("what becomes of a label")
    verdicts.add_argument(
        "--accept", metavar="SCORE", type=float, default=0.4, help="accepted from here on (0.4)"
    )
    verdicts.add_argument(
        "--queue",
        metavar="SCORE",
        type=float,
        default=0.2,
        help="for a person to see from here on, dropped below (0.2)",
    )
    verdicts.add_argument(
        "--gap",
        metavar="FRAMES",
        type=int,
        default=3,
        help="holes of a track up to so many frames are filled, for a person to see (3)",
    )
    verdicts.add_argument(
        "--flicker",
        metavar="SCORE",
        type=float,
        default=0.4,
        help="boxes below it that no neighbouring frame confirms are dropped (0.4)",
    )
    verdicts.add_argument(
        "--no-tracks", action="store_true", help="label each picture without its neighbours"
    )


def _add_bound(parser: ArgumentParser) -> None:
    bound = parser.add_argument_group("labels with a stated error")
    bound.add_argument(
        "--max-error",
        metavar="SHARE",
        type=float,
        help="of the accepted labels, at most this share is wrong, as 0.05",
    )
    bound.add_argument(
        "--confidence", metavar="SHARE", type=float, default=0.95, help="in that statement (0.95)"
    )
    bound.add_argument(
        "--tries",
        metavar="N",
        type=int,
        default=1,
        help="how often the bound is asked for while more pictures are checked (1)",
    )
    bound.add_argument(
        "--seed", metavar="N", type=int, default=0, help="of the calibration order (0)"
    )
    bound.add_argument(
        "--checked",
        metavar="N",
        type=int,
        help="pictures of that order that were drawn (default: up to the first not reviewed)",
    )
    bound.add_argument(
        "--pooled", action="store_true", help="one bound for all classes, not one for each"
    )


def run(args: Namespace, screen: Screen) -> Outcome:
    """A snapshot -> another snapshot."""
    from dataclasses import asdict
    from pathlib import Path

    from edgefactory.datasets import auto_label

    out = Path(args.out)
    found = auto_label(_settings(args), Path(args.snapshot), out, screen.progress)
    for group in found.groups:
        screen.note(group.line())
    return Outcome(_line(found, args.out), {**asdict(found), "out": args.out})


def _settings(args: Namespace) -> "AutoLabelSettings":
    from edgefactory.datasets import (
        AutoLabelSettings,
        TrackSettings,
        VerdictSettings,
        native_precision,
    )
    from edgefactory.datasets.bounds import BoundSettings
    from edgefactory.datasets.teachers import EngineSettings

    precision = args.precision
    if precision == "auto":
        precision = native_precision() if args.engine == "openvino" else "f32"
    bound = None
    if args.max_error is not None:
        bound = BoundSettings(
            max_error=args.max_error,
            confidence=args.confidence,
            seed=args.seed,
            tries=args.tries,
            sample=args.checked,
            per_class=not args.pooled,
        )
    tracks = None if args.no_tracks else TrackSettings(gap=args.gap, flicker=args.flicker)
    return AutoLabelSettings(
        teachers=chosen_teachers(args),
        engine=EngineSettings(engine=args.engine, precision=precision),
        verdicts=VerdictSettings(args.accept, args.queue, tracks),
        bound=bound,
        workers=args.workers,
        batch=args.batch,
    )


def _line(found: "AutoLabelled", out: str) -> str:
    labels = f"{found.accepted} labels accepted, {found.queued} for a person to see"
    time = f"{found.filled} gaps filled, {found.flicker} boxes dropped as flicker"
    return (
        f"{labels} on {found.pictures} pictures ({time}); {found.kept} of people kept; "
        f"the new snapshot is {found.digest[:12]} in {out}"
    )
