"""Measure how long models take, on this machine or on a device by its address.

Models are ONNX files, OpenVINO's .xml beside its .bin, or the folder of a release or of variants,
which is all that it holds for these engines; a device takes ONNX. On this machine
they take turns, so that what else it does hits all alike. A figure that did not settle says why.
The f32 floor is what the graph's multiply-accumulates alone would take at the highest rate of f32
matrix products seen in the same run; bf16 and int8 can be faster.
"""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen

if TYPE_CHECKING:
    from pathlib import Path

    from edge_runtime.contract import BenchResult
    from edgefactory.compress.bench import Candidate, DeviceBench
    from edgefactory.datasets.errors import EdgefactoryError

HELP = "measure how long models take, here or on a device"
STAGE: str | None = None

ENGINES = ("onnxruntime", "openvino")
PRECISIONS = ("f32", "bf16", "f16", "int8")
PLAIN_WIDTH = 120  # columns where there is no terminal to ask
LONGEST_S = 600.0

T = TypeVar("T")


def options(parser: ArgumentParser) -> None:
    """The models, what executes them, and where."""
    parser.add_argument(
        "models", metavar="MODEL", nargs="+", help="ONNX, .xml, or a release's folder"
    )
    parser.add_argument(
        "--engine",
        metavar="A,B",
        type=_several(ENGINES),
        default=(),
        help=f"of {', '.join(ENGINES)} (default: those that the box has)",
    )
    parser.add_argument(
        "--precision",
        metavar="A,B",
        type=_several(PRECISIONS),
        default=(),
        help=f"of {', '.join(PRECISIONS)} (default: int8 for quantized graphs, else f32)",
    )
    parser.add_argument("--threads", metavar="N", type=int, default=1, help="of the engine (1)")
    parser.add_argument(
        "--seconds",
        metavar="S",
        type=float,
        default=3.0,
        help="a model gets at most so long (3)",
    )
    parser.add_argument(
        "--device", metavar="URL", help="where `edge-runtime bench --listen` runs; not here"
    )
    parser.add_argument("--token-file", metavar="FILE", help="the device's token")


def run(args: Namespace, screen: Screen) -> Outcome:
    """Models -> how long each takes."""
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from edgefactory.compress.bench import candidates, engines_here
    from edgefactory.datasets.errors import InputError

    if not 1 <= args.threads <= 256 or not 0 < args.seconds <= LONGEST_S:
        raise InputError(f"--threads is 1 to 256, --seconds at most {LONGEST_S:g}")
    if (args.device is None) != (args.token_file is None):
        raise InputError("--device and --token-file belong together; give both")
    paths = [Path(model) for model in args.models]
    with TemporaryDirectory(prefix="edgefactory-bench-") as folder:
        scratch = Path(folder)
        if args.device is None:
            chosen = candidates(paths, args.engine or engines_here(), args.precision, scratch)
            found = _here(chosen, args, screen)
        else:
            device = _device(args)
            there = device.host().versions
            engines = args.engine or tuple(engine for engine in ENGINES if engine in there)
            chosen = candidates(paths, engines, args.precision, scratch)
            found = _there(chosen, device, args.threads, screen)
        screen.clear()
        return _outcome(chosen, found, args, screen)


def _here(
    chosen: "Sequence[Candidate]", args: Namespace, screen: Screen
) -> "list[BenchResult | EdgefactoryError]":
    from edge_runtime.bench import subject_at
    from edge_runtime.bench.levels import LevelFile, default_file
    from edgefactory.compress.bench import measure_here

    subjects = [subject_at(one.path, one.engine, one.precision) for one in chosen]
    levels = LevelFile(default_file())
    return measure_here(subjects, args.threads, args.seconds, levels, screen.progress)


def _device(args: Namespace) -> "DeviceBench":
    from pathlib import Path

    from edge_runtime.access import read_token
    from edgefactory.compress.bench import DeviceBench

    return DeviceBench(args.device, read_token(Path(args.token_file)), args.seconds)


def _there(
    chosen: "Sequence[Candidate]", device: "DeviceBench", threads: int, screen: Screen
) -> "list[BenchResult | EdgefactoryError]":
    from edgefactory.compress.engines import MAX_VARIANT_BYTES
    from edgefactory.datasets.errors import InputError
    from edgefactory.datasets.files import read_bytes

    found: list[BenchResult | EdgefactoryError] = []
    for number, one in enumerate(chosen):
        screen.progress(number, len(chosen), f"{one.name} at {device.where}")
        if one.path.suffix == ".xml":
            found.append(InputError(f"{one.name} is OpenVINO's own file; a device takes ONNX"))
            continue
        model = read_bytes(one.path, MAX_VARIANT_BYTES, "model")
        try:
            found.append(device.measure(model, one.engine, one.precision, threads))
        except InputError as error:
            found.append(error)
    return found


def _outcome(
    chosen: "Sequence[Candidate]",
    found: "Sequence[BenchResult | EdgefactoryError]",
    args: Namespace,
    screen: Screen,
) -> Outcome:
    import msgspec

    from edge_runtime.contract import BenchResult
    from edgefactory.compress.bench import floor_ms, peak_of

    good = [result for result in found if isinstance(result, BenchResult)]
    if not good:
        raise next(error for error in found if not isinstance(error, BenchResult))
    peak = peak_of(good)
    floors = {one.path: floor_ms(one.path, peak) for one in chosen}
    if not args.json:
        _print(chosen, found, floors)
        for one, outcome in zip(chosen, found, strict=True):
            why = outcome.reason if isinstance(outcome, BenchResult) else str(outcome)
            if why:
                screen.note(f"{one.name} on {one.engine} in {one.precision}: {why}")
    rows: list[dict[str, object]] = []
    for one, outcome in zip(chosen, found, strict=True):
        row: dict[str, object] = {
            "file": one.variant or str(one.path),
            "floor_ms": floors[one.path],
        }
        if isinstance(outcome, BenchResult):
            rows.append({**row, "result": msgspec.to_builtins(outcome)})
        else:
            asked = {"engine": one.engine, "precision": one.precision}
            rows.append({**row, **asked, "error": str(outcome)})
    settled = sum(result.settled for result in good)
    return Outcome(
        f"{settled} of {len(chosen)} settled; on {good[0].host.cpu}, {args.threads} of "
        f"{good[0].host.cores} cores, f32 products at up to {peak:.0f} GFLOP/s",
        {"peak_gflops": peak, "rows": rows},
    )


def _print(
    chosen: "Sequence[Candidate]",
    found: "Sequence[BenchResult | EdgefactoryError]",
    floors: "dict[Path, float | None]",
) -> None:
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from edge_runtime.contract import BenchResult

    console = Console()
    console = console if console.is_terminal else Console(width=PLAIN_WIDTH)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("file", "engine", "precision"):
        table.add_column(title, overflow="fold")
    for title in ("ms", "95%", "p99", "f32 floor", "quiet"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("settled")
    for one, outcome in zip(chosen, found, strict=True):
        names = (escape(one.name), one.engine, one.precision)
        floor = floors[one.path]
        shown = "-" if floor is None else f"{floor:.3f}"
        if isinstance(outcome, BenchResult):
            settled = "yes" if outcome.settled else "no"
            table.add_row(*names, *_figures(outcome, shown), settled)
        else:
            table.add_row(*names, "-", "-", "-", shown, "-", "failed", style="dim")
    console.print(table)


def _figures(result: "BenchResult", floor: str) -> tuple[str, str, str, str, str]:
    low, high = result.interval or (float("nan"), float("nan"))
    interval = "-" if result.interval is None else f"{low:.3f}-{high:.3f}"
    figures = (f"{result.latency_ms:.3f}", interval, f"{result.latency_p99_ms:.3f}")
    return (*figures, floor, f"{result.quiet:.0%}")


def _several(known: tuple[T, ...]) -> "Callable[[str], tuple[T, ...]]":
    """Reads "a,b" as some of what is `known`."""

    def read(text: str) -> tuple[T, ...]:
        names = text.split(",")
        found = tuple(one for one in known if one in names)
        strange = [name for name in names if name not in known]
        if strange:
            raise ArgumentTypeError(f"{strange[0]!r} is none of {', '.join(map(str, known))}")
        return found

    return read
