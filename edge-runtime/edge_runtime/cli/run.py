"""Run as the daemon that keeps models up to date; or run one on a video or on pictures.

Without a source it stays: it polls for releases, proves and shadows them, switches, and goes back
when one does badly (docs/daemon.md). With --video it writes tracks, counts, a heat map and a clip,
with --pictures of digits what it read.
"""

import argparse
import contextlib
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.cli.console import Console
from edge_runtime.cli.options import add_model, add_threads, count, index, state_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_runtime.contract import RunReport
    from edge_runtime.engines import Session
    from edge_runtime.running import Active
    from edge_runtime.state import State


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `run`."""
    add_model(parser)
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--video", type=Path, metavar="FILE", help="a video file")
    source.add_argument(
        "--pictures",
        type=Path,
        metavar="DIR",
        help="a folder of pictures; for digits named <voucher>_<position>.png",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="for the results, with a source")
    parser.add_argument(
        "--from-frame", type=index, default=0, metavar="N", help="the first frame (0)"
    )
    parser.add_argument("--frames", type=index, metavar="N", help="at most so many frames")
    parser.add_argument(
        "--line", metavar="X0,Y0,X1,Y1", help="count who crosses it; left to right is in"
    )
    parser.add_argument("--stream", metavar="NAME", help="the stream's name (the file's)")
    parser.add_argument("--no-clip", action="store_true", help="write no annotated.mp4")
    parser.add_argument(
        "--fps", type=count, default=10, metavar="N", help="pictures a second of --pictures (10)"
    )
    parser.add_argument(
        "--listen", metavar="HOST:PORT", help="without a source: answer there over HTTP too"
    )
    add_threads(parser)


def run(options: argparse.Namespace, console: Console) -> None:
    """Be the daemon; or self-test the active release, run it, and say what was found."""
    _check(options)
    if options.video is None and options.pictures is None:
        _stay(options)
        return
    from edge_runtime.errors import InputError
    from edge_runtime.running import active, open_active

    state = state_of(options)
    found = active(state, options.model)
    if found.release.task == "embedding":
        raise InputError(
            f"{found.release.name} makes embeddings, in which nothing is counted or read; "
            "`edge-runtime infer` prints them"
        )

    def opened() -> "Session":
        console.progress(0, 0, f"self-test of {found.release.name} {found.release.version}")
        return open_active(state, found, options.threads)

    if found.release.task == "detection":
        report = _detect(options, console, found, opened)
    else:
        report = _read(options, console, found, opened)
    counts = ", ".join(f"{name} {number}" for name, number in report.counts.items())
    lines = [
        f"{report.release_name} {report.release_version} ({report.variant}): {counts}",
        f"{report.frames} pictures from {report.first_frame}; engine "
        f"{report.infer_ms_p50:.2f} ms (p99 {report.infer_ms_p99:.2f}), "
        f"{report.frame_ms_p50:.2f} ms a picture in all",
        *_watched(report),
        f"results in {options.out}",
    ]
    console.result(report, lines)


def _check(options: argparse.Namespace) -> None:
    """Raises InputError for options that do not go together, before anything is loaded."""
    from edge_runtime.errors import InputError

    if options.video is not None or options.pictures is not None:
        if options.out is None:
            raise InputError("--out DIR is missing: where the results go")
        if options.listen is not None:
            raise InputError("--listen is the daemon's, which has no --video or --pictures")
        if options.line is not None:
            from edge_runtime.streams.lines import parse_line

            parse_line(options.line)
        return
    for name in ("line", "out", "stream"):
        if getattr(options, name) is not None:
            raise InputError(
                f"--{name} needs --video or --pictures; the daemon's cameras and their lines stand "
                "in daemon.toml as [streams.NAME]"
            )


def _stay(options: argparse.Namespace) -> None:
    import signal

    import msgspec

    from edge_runtime.daemon import Settings, logs, only, read_settings

    state, start = state_of(options), time.monotonic()

    def settings() -> Settings:
        found = read_settings(state.settings)
        if options.listen is not None:
            serve = msgspec.structs.replace(found.serve, listen=options.listen)
            found = msgspec.structs.replace(found, serve=serve)
        if options.model is None:
            return found
        return only(found, options.model, options.threads)

    now = settings()
    _begin_workers(state, tuple(now.models))  # before the rest is imported: they take longer
    from edge_runtime.daemon.loop import Daemon
    from edge_runtime.daemon.parts import ServeCheck, parts
    from edge_runtime.daemon.streaming import Around, Streams
    from edge_runtime.serving.live import Live
    from edge_runtime.watching import Watcher

    watcher = Watcher(lambda: time.monotonic() - start)
    streams = Streams(Around(state, watcher, Live(now.serve.live)))
    working = parts(state, now, watcher.summary, streams)
    check = ServeCheck(state)
    daemon = Daemon(state, settings, (watcher.tap,), working, streams.take, check)
    signal.signal(signal.SIGTERM, lambda *_: daemon.stop())
    signal.signal(signal.SIGINT, lambda *_: daemon.stop())
    signal.signal(signal.SIGHUP, lambda *_: daemon.reload())
    if not getattr(options, "verbose", False):  # a line a request would push out what happened
        logging.getLogger("edge_runtime.serving.access").setLevel(logging.WARNING)
    handler = logs.start(state.logs)
    try:
        daemon.run()
    finally:
        logs.stop(handler)


def _begin_workers(state: "State", models: Sequence[str]) -> None:
    """Those in which `models`, or all that are active, will run."""
    from edge_runtime.apart import begin_worker
    from edge_runtime.errors import StorageError
    from edge_runtime.store import load_journal

    with contextlib.suppress(StorageError):  # the daemon mends the journal, and starts them then
        journal = load_journal(state.journal)
        for model in models or journal.models:
            begin_worker(journal.of(model).active)


def _watched(report: "RunReport") -> list[str]:
    """What was out of the ordinary, in words."""
    from msgspec import UnsetType

    if isinstance(report.watch, UnsetType):
        return []
    lines = []
    camera = report.watch.camera
    if camera is not None and camera.seen:
        seen = ", ".join(f"{fault} in {n}" for fault, n in camera.seen.items())
        now = f"{camera.fault} since second {camera.since}" if camera.fault else "well at the end"
        lines.append(f"camera: {seen} of {camera.pictures} pictures looked at; {now}")
    for name, model in report.watch.models.items():
        drifting = [key for key, said in model.signals.items() if said.verdict == "drifting"]
        if drifting:
            lines.append(f"{name}: not as where it was proven: {', '.join(drifting)}")
    if report.watch.route != "none":
        lines.append(f"what to do: {report.watch.route}")
    return lines


def _detect(
    options: argparse.Namespace,
    console: Console,
    active: "Active",
    opened: "Callable[[], Session]",
) -> "RunReport":
    from edge_runtime.streams.detection import DetectionRun, run_detection
    from edge_runtime.streams.lines import parse_line
    from edge_runtime.streams.sources import folder_stream, video_stream

    name = options.stream or (options.video or options.pictures).name
    if options.video is not None:
        stream = video_stream(options.video, name, options.from_frame, options.frames)
    else:
        stream = folder_stream(
            options.pictures, name, options.from_frame, options.frames, options.fps
        )
    line = parse_line(options.line) if options.line else None
    job = DetectionRun(active, opened(), stream, line, options.out, clip=not options.no_clip)
    return run_detection(job, console.progress)


def _read(
    options: argparse.Namespace,
    console: Console,
    active: "Active",
    opened: "Callable[[], Session]",
) -> "RunReport":
    from edge_runtime.errors import InputError
    from edge_runtime.streams.vouchers import VoucherRun, run_vouchers

    if options.pictures is None:
        raise InputError(f"{active.release.name} reads single pictures; give --pictures DIR")
    if options.line:
        raise InputError(f"{active.release.name} finds no boxes that could cross a --line")
    name = options.stream or options.pictures.name
    job = VoucherRun(active, opened(), options.pictures, name, options.out)
    return run_vouchers(job, console.progress)
