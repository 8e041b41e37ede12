"""Measure a model's latency here, or offer that to another machine (--listen)."""

import argparse
import signal
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from edge_runtime.cli.console import Console
from edge_runtime.cli.options import add_threads

if TYPE_CHECKING:
    from edge_runtime.contract import BenchResult

LONGEST_S = 600.0


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `bench`."""
    parser.add_argument(
        "model",
        nargs="?",
        type=Path,
        metavar="FILE",
        help="ONNX, or OpenVINO's .xml beside its .bin",
    )
    parser.add_argument(
        "--engine",
        choices=("onnxruntime", "openvino"),
        default="onnxruntime",
        help="what executes it (onnxruntime)",
    )
    parser.add_argument(
        "--precision",
        choices=("f32", "bf16", "f16", "int8"),
        help="of the arithmetic (left out: int8 for a quantized graph, else f32)",
    )
    add_threads(parser)
    parser.add_argument(
        "--seconds", type=_seconds, default=3.0, metavar="S", help="at most so long (3)"
    )
    parser.add_argument(
        "--listen",
        metavar="HOST:PORT",
        help="take models over HTTP until interrupted, and answer with their latency",
    )
    parser.add_argument(
        "--token-file", type=Path, metavar="FILE", help="the token that every request must carry"
    )
    parser.add_argument("--tls-cert", type=Path, metavar="FILE", help="PEM; beyond loopback")
    parser.add_argument("--tls-key", type=Path, metavar="FILE", help="PEM; beyond loopback")


def run(options: argparse.Namespace, console: Console) -> None:
    """Measure one file, or listen."""
    from edge_runtime.errors import InputError

    if (options.model is None) == (options.listen is None):
        raise InputError("give a FILE to measure it, or --listen to offer it; one of the two")
    if options.listen is not None:
        _listen(options, console)
    else:
        _measure(options, console)


def _measure(options: argparse.Namespace, console: Console) -> None:
    from edge_runtime.bench import Plan, measure_one, subject_at
    from edge_runtime.bench.levels import LevelFile, default_file

    levels = LevelFile(default_file())
    plan = Plan(options.threads, options.seconds, level_ms=levels.known(options.threads))
    subject = subject_at(options.model, options.engine, options.precision)
    result = measure_one(subject, plan, console.progress)
    levels.learn(options.threads, result.reference_ms)
    console.result(result, _lines(options.model.name, result))


def _lines(name: str, result: "BenchResult") -> list[str]:
    clock = "processor time" if result.clock == "processor" else "time on the wall"
    interval = ""
    if result.interval is not None:
        interval = f" (95%: {result.interval[0]:.3f} to {result.interval[1]:.3f})"
    count = f"{result.threads} thread{'s' if result.threads > 1 else ''}"
    lines = [
        f"{name} on {result.engine} {result.engine_version}, {result.precision}, {count}: "
        f"{result.latency_ms:.3f} ms{interval}, {clock}; p99 {result.latency_p99_ms:.3f} ms",
        f"  quiet in {result.quiet:.0%} of {result.blocks} blocks, {result.calls} calls; over all "
        f"{result.processor_ms:.3f} ms of processor time, {result.wall_ms:.3f} ms on the wall",
        f"  loaded in {result.load_ms:.0f} ms, {result.memory_bytes / 1e6:.0f} MB of memory in all",
    ]
    return lines if result.settled else [*lines, f"  not settled: {result.reason}"]


def _listen(options: argparse.Namespace, console: Console) -> None:
    from edge_runtime.access import access
    from edge_runtime.bench.server import BenchServer
    from edge_runtime.errors import InputError

    if options.token_file is None:
        raise InputError("--listen needs --token-file: it runs what it is sent")
    admitted = access(options.listen, options.token_file, options.tls_cert, options.tls_key)
    signal.signal(signal.SIGTERM, _end)
    with BenchServer(admitted) as server:
        console.result({"url": server.url}, (f"listening on {server.url}",))
        server.serve_forever()


def _end(_number: int, _frame: object) -> NoReturn:
    raise SystemExit(0)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.0 < seconds <= LONGEST_S:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds up to {LONGEST_S:g}")
    return seconds
