"""A trained network in, the fastest files out that still decide the same, and proof of it.

`compress CHECKPOINT --data SNAP --out DIR` tries engines and precisions, judges each on the val
split against FP32, times each on the engine, and chooses the fastest that loses no more than
--max-drop and keeps every --budget (latency_ms<=3, bytes<=1MB, macs<=100M). Where INT8 loses too
much, layers stay in float; where that is not enough, the network learns again: for INT8, with
ReLU, with fewer channels (--methods). What is chosen is then judged on the test split, in pairs.
DIR gets compression.html and .json, variants/ to release from, and networks/.

Without CHECKPOINT it is the stage of a line: checkpoint/ becomes variants/ in the workspace, by the
section `compress` of its params.yaml; a variant that cannot be made here is left out, with its
reason.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, TypeVar

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen, size

if TYPE_CHECKING:
    from edgefactory.compress.choosing import Here, Method, There, Wishes
    from edgefactory.compress.settings import Target

HELP = "the fastest files that still decide the same"
STAGE: str | None = "compress"

REASON_WIDTH = 110  # characters on the screen; variants.json has all of it
LONGEST_S = 600.0  # that a form is timed
TARGETS: "tuple[Target, ...]" = ("onnx", "openvino", "tensorrt")
METHODS: "tuple[Method, ...]" = ("mixed", "qat", "relu", "prune")

T = TypeVar("T", bound=str)


def options(parser: ArgumentParser) -> None:
    """The checkpoint and its limits, where they are not a workspace's."""
    parser.add_argument(
        "checkpoint", metavar="CHECKPOINT", nargs="?", help="its folder (default: the stage)"
    )
    parser.add_argument("--data", metavar="SNAP", help="the snapshot that it was trained on")
    parser.add_argument("--out", metavar="DIR", help="the folder of what is made")
    parser.add_argument("--targets", metavar="A,B", help=f"of {', '.join(TARGETS)} (all)")
    parser.add_argument(
        "--max-drop",
        metavar="POINTS",
        type=float,
        help="of the metric, 0..1, that may be lost (0.005)",
    )
    parser.add_argument(
        "--slice-drop",
        metavar="POINTS",
        type=float,
        help="that any class, camera or time of day may lose (0.02)",
    )
    parser.add_argument(
        "--budget", action="append", default=[], metavar="Q<=L", help="once or several times"
    )
    parser.add_argument("--methods", metavar="A,B", help=f"of {', '.join(METHODS)}, none (all)")
    parser.add_argument("--calibration", metavar="N", type=int, help="pictures for INT8 (64)")
    parser.add_argument("--memory", metavar="MIB", type=int, help="that quantizing may take")
    parser.add_argument("--threads", metavar="N", type=int, help="of the engine when timed (1)")
    parser.add_argument("--seconds", metavar="S", type=float, help="a form is timed at most (3)")
    parser.add_argument(
        "--device", metavar="URL", help="where `edge-runtime bench --listen` runs; not here"
    )
    parser.add_argument("--token-file", metavar="FILE", help="the device's token")


def run(args: Namespace, screen: Screen) -> Outcome:
    """A checkpoint -> variants."""
    _check(args)
    return _stage(args, screen) if args.checkpoint is None else _named(args, screen)


def _check(args: Namespace) -> None:
    from edgefactory.datasets.errors import InputError

    if args.checkpoint is not None:
        if args.data is None or args.out is None:
            raise InputError(
                "compress CHECKPOINT needs --data SNAP, the snapshot that it was trained on, and "
                "--out DIR"
            )
        return
    given = [name for name, value in vars(args).items() if name in _OWN and value]
    if given:
        raise InputError(
            f"--{given[0].replace('_', '-')} goes with CHECKPOINT, the folder of one; a workspace "
            "has its params.yaml"
        )


_OWN = (
    "data", "out", "targets", "max_drop", "slice_drop", "budget", "methods", "calibration",
    "memory", "threads", "seconds", "device", "token_file",
)  # fmt: skip


def _stage(args: Namespace, screen: Screen) -> Outcome:
    from edgefactory.pipelines.params import read_params, settings
    from edgefactory.pipelines.workspace import Workspace

    workspace = Workspace(args.workspace)
    section = read_params(workspace.params)["compress"]
    checkpoint = workspace.require("checkpoint", "edgefactory train")
    snapshot = workspace.require("snapshot", "edgefactory data snapshot")
    screen.progress(0, 0, "starting up")
    from edgefactory.compress import CompressSettings
    from edgefactory.compress import compress as make

    wanted = settings(section, CompressSettings, "params.yaml: compress")
    made = make(wanted, checkpoint, snapshot, workspace / "variants", screen.progress)
    for skipped in made.skipped:
        screen.note(f"       skipped {skipped.name}: {shorten(skipped.reason, REASON_WIDTH)}")
    sizes = {
        variant.name: sum(file.bytes for file in variant.files.values())
        for variant in made.variants
    }
    smallest = min(sizes.values(), default=0)
    return Outcome(
        f"{len(sizes)} variants, the smallest {size(smallest)}",
        {"bytes": sizes, "skipped": {skipped.name: skipped.reason for skipped in made.skipped}},
    )


def _named(args: Namespace, screen: Screen) -> Outcome:
    import msgspec

    from edgefactory.datasets.errors import GateError

    wishes, stopwatch = _wishes(args), _stopwatch(args)
    screen.progress(0, 0, "starting up")
    from edgefactory.compress.choosing import choose
    from edgefactory.pipelines.compresspage import claim, print_attempts, write_page

    found = choose(wishes, stopwatch, screen.progress)
    page = write_page(found, wishes.out)
    screen.clear()
    if not args.json:
        print_attempts(found)
    if not found.chosen:
        raise GateError(f"{found.why}; all that was tried is in {page}")
    return Outcome(f"{claim(found)}; {page}", msgspec.to_builtins(found))


def _wishes(args: Namespace) -> "Wishes":
    from edgefactory.compress.choosing import Wishes
    from edgefactory.compress.mixed import Margins
    from edgefactory.compress.settings import CompressSettings
    from edgefactory.datasets.errors import InputError
    from edgefactory.training.tuning import parse_limits

    if args.memory is not None and args.memory < 1:
        raise InputError(f"--memory is {args.memory}; expected MiB, 1 or more")
    if args.calibration is not None and args.calibration < 1:
        raise InputError(f"--calibration is {args.calibration}; expected 1 or more pictures")
    usual = Margins()
    return Wishes(
        checkpoint=Path(args.checkpoint),
        snapshot=Path(args.data),
        out=Path(args.out),
        settings=CompressSettings(
            targets=_several(args.targets, TARGETS, "--targets"),
            calibration=args.calibration or CompressSettings().calibration,
        ),
        margins=Margins(
            usual.all if args.max_drop is None else args.max_drop,
            usual.slices if args.slice_drop is None else args.slice_drop,
        ),
        budgets=parse_limits(args.budget),
        methods=() if args.methods == "none" else _several(args.methods, METHODS, "--methods"),
        cap=args.memory,
    )


def _several(text: str | None, known: "tuple[T, ...]", option: str) -> "tuple[T, ...]":
    """The names in "a,b", in the order of `known`; all of them when nothing is given."""
    from edgefactory.datasets.errors import InputError

    if text is None:
        return known
    names = [name.strip() for name in text.split(",")]
    strange = [name for name in names if name not in known]
    if strange:
        raise InputError(f"{option}: {strange[0]!r} is none of {', '.join(known)}")
    return tuple(name for name in known if name in names)


def _stopwatch(args: Namespace) -> "Here | There":
    from edge_runtime.access import read_token
    from edgefactory.compress.bench import DeviceBench
    from edgefactory.compress.choosing import Here, There
    from edgefactory.datasets.errors import InputError

    threads, seconds = args.threads or 1, args.seconds or 3.0
    if not 1 <= threads <= 256 or not 0 < seconds <= LONGEST_S:
        raise InputError(f"--threads is 1 to 256, --seconds at most {LONGEST_S:g}")
    if (args.device is None) != (args.token_file is None):
        raise InputError("--device and --token-file belong together; give both")
    if args.device is None:
        return Here(threads, seconds)
    return There(DeviceBench(args.device, read_token(Path(args.token_file)), seconds), threads)
