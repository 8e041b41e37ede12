"""Judge a model on a snapshot: figures with intervals, slices, calibration, its worst mistakes.

MODEL is a checkpoint's folder, a file .onnx or .xml (OpenVINO), a release's folder, a folder of
variants, or a teacher as `label auto` takes it. The tables go to stdout, --json prints the whole
evaluation, --out writes it as evaluation.json with evaluation.html, a page of pictures.

The score from which a detection counts is chosen on the split val: by --cost, by --precision, or
where F1 is best. A release brings its own along, which holds unless one of the two is asked for.
"""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen

if TYPE_CHECKING:
    from datetime import tzinfo

    from edgefactory.compress import EvaluateSettings
    from edgefactory.training.evaluation import Evaluation

HELP = "judge any model on a snapshot: slices, calibration, worst mistakes"
STAGE: str | None = None


def options(parser: ArgumentParser) -> None:
    """The model, the snapshot, and how it is judged."""
    parser.add_argument("model", metavar="MODEL", help="a folder, a file, or a teacher")
    parser.add_argument("snapshot", metavar="SNAP", help="the folder of the snapshot")
    parser.add_argument(
        "--split", choices=("train", "val", "test"), default="test", help="what is judged (test)"
    )
    parser.add_argument("--out", metavar="DIR", help="write evaluation.html and .json there")
    parser.add_argument("--engine", choices=("onnxruntime", "openvino"), help="what runs it")
    parser.add_argument("--variant", metavar="NAME", help="of a release or of variants")
    parser.add_argument(
        "--classes", metavar="A,B", default="", help="of a graph that does not name its own"
    )
    point = parser.add_mutually_exclusive_group()
    point.add_argument(
        "--cost", metavar="fn=5,fp=1", help="choose the score by what misses and alarms cost"
    )
    point.add_argument(
        "--precision", metavar="P", type=float, help="choose the lowest score of this precision"
    )
    parser.add_argument(
        "--bootstrap", metavar="N", type=int, default=1000, help="draws for intervals (1000)"
    )
    parser.add_argument(
        "--worst", metavar="N", type=int, default=12, help="mistakes of each kind (12)"
    )
    parser.add_argument(
        "--timezone", metavar="ZONE", default="UTC", help="of the times of day (UTC)"
    )


def run(args: Namespace, screen: Screen) -> Outcome:
    """A model and a snapshot -> figures that one can act on."""
    from pathlib import Path

    import msgspec

    from edgefactory.datasets.files import require_replaceable

    wanted, out = _settings(args), Path(args.out) if args.out else None
    if out is not None:
        require_replaceable(out, "evaluation.json")
    screen.progress(0, 0, "opening the model")
    from edgefactory.compress import Opening, evaluate, host, open_model
    from edgefactory.pipelines.evalpage import print_evaluation, write_evaluation

    classes = tuple(name.strip() for name in args.classes.split(",") if name.strip())
    how = Opening(args.engine, args.variant, classes, host(()).cores)
    folder = Path(args.snapshot)
    found = evaluate(wanted, open_model(args.model, how), folder, screen.progress)
    page = write_evaluation(found, folder, out, screen.progress) if out else None
    screen.clear()
    if not args.json:
        print_evaluation(found)
    return Outcome(_line(found, page), msgspec.to_builtins(found))


def _settings(args: Namespace) -> "EvaluateSettings":
    from edgefactory.compress import EvaluateSettings
    from edgefactory.datasets.errors import InputError
    from edgefactory.training.evaluation import Judging, parse_costs

    if args.bootstrap < 1 or args.worst < 0:
        raise InputError("--bootstrap must be at least 1, and --worst not below 0")
    if args.precision is not None and not 0 < args.precision <= 1:
        raise InputError(f"--precision is {args.precision:g}; expected a share above 0, up to 1")
    judging = Judging(
        draws=args.bootstrap,
        costs=parse_costs(args.cost) if args.cost is not None else None,
        worst=args.worst,
        zone=_zone(args.timezone),
    )
    return EvaluateSettings(args.split, judging, args.precision)


def _zone(name: str) -> "tzinfo":
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    from edgefactory.datasets.errors import InputError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise InputError(
            f"--timezone {name!r} is not known; expected one as Asia/Kolkata"
        ) from error


def _line(found: "Evaluation", page: object) -> str:
    from edgefactory.pipelines.evalpage import wording

    first = wording.first_figures(found)[0]
    figure = found.overall()[first]
    name, value = wording.FIGURES[first].name, wording.value(figure)
    interval = f" ({bounds})" if (bounds := wording.bounds(figure)) else ""
    line = f"{name} {value}{interval} on {found.data.pictures} pictures"
    return f"{line}; {page}" if page else line
