"""`label auto` with the person teacher against the bare engine, on frames of the CCTV clip.

The bare engine is OpenVINO itself, with the same model, precision, tiles and cores: one process
cuts frames that were decoded before into tiles, hands each over as soon as it is cut, and does
nothing with what comes back. `label auto` reads, checks and decodes the snapshot's pictures, cuts
them, merges the tiles' boxes, sends them between processes, keeps its journal, follows tracks, and
writes the new snapshot. Each of these is in its time; starting the processes and loading the model
is not (it is paid once, and given in `peers`): the clock starts when every worker has had
frames. Frames that a worker had begun by then count as if it had not, so the ratio is rather too
low than too high. Both run in turns, and the figures are medians over the rounds; wall time needs a
quiet machine, processor time does not.
"""

import multiprocessing
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from PIL import Image

from edgefactory.datasets import (
    AutoLabelSettings,
    Header,
    IngestSettings,
    Item,
    TeacherSettings,
    auto_label,
    fetch_clip,
    fetch_teacher,
    ingest,
    load_picture,
    native_precision,
    read_manifest,
)
from edgefactory.datasets.carrying import write_snapshot
from edgefactory.datasets.files import file_sha256
from edgefactory.datasets.teacher import tiles
from edgefactory.datasets.teachers import EngineSettings, parse_teacher
from edgefactory.datasets.workers import cores
from measured import Bound, Measured

SAYS = "label auto against the bare engine looped over the same decoded frames"

AT_LEAST = 0.9
_SIDE = 300  # of the network's input, pixels

Frames = list[NDArray[np.uint8]]


@dataclass(frozen=True)
class Cost:
    """Seconds a frame."""

    wall: float
    cpu: float


def run(full: bool, /) -> Measured:
    """Both in turns: 32 frames and 3 rounds, or 150 frames and 5 rounds."""
    count, rounds = (150, 5) if full else (32, 3)
    with tempfile.TemporaryDirectory(prefix="auto-label-") as folder:
        root = Path(folder)
        snapshot = _snapshot(root, count)
        items = read_manifest(snapshot).items
        frames = [load_picture(snapshot, item) for item in items]
        bare, auto, starts = [], [], []
        engine = _engine()
        for turn in range(rounds):
            bare.append(_bare(engine, frames))
            found, start = _auto(snapshot, root / "after", items)
            auto.append(found)
            starts.append(start)
            sys.stderr.write(f"round {turn + 1}: bare {bare[-1]}, label auto {found}\n")
        cut = _on_cut_tiles(engine, frames)
    return _measured(bare, auto, starts, cut)


def _measured(bare: list[Cost], auto: list[Cost], starts: list[float], cut: Cost) -> Measured:
    pairs = list(zip(bare, auto, strict=True))
    metrics = {
        "ratio_to_engine": round(statistics.median(b.wall / a.wall for b, a in pairs), 3),
        "cpu_ratio_to_engine": round(statistics.median(b.cpu / a.cpu for b, a in pairs), 3),
        "frames_per_second": round(1 / statistics.median(a.wall for a in auto), 2),
        "cpu_ms_per_frame": round(1000 * statistics.median(a.cpu for a in auto), 1),
    }
    floor = {
        "frames_per_second": round(1 / statistics.median(b.wall for b in bare), 2),
        "cpu_ms_per_frame": round(1000 * statistics.median(b.cpu for b in bare), 1),
    }
    peers: dict[str, object] = {
        "ratio_by_round": [round(b.wall / a.wall, 3) for b, a in pairs],
        "cpu_ratio_by_round": [round(b.cpu / a.cpu, 3) for b, a in pairs],
        "engine_on_cut_tiles_cpu_ms_per_frame": round(1000 * cut.cpu, 1),
        "start_seconds": round(statistics.median(starts), 1),
        "workers": cores(),
    }
    bounds = {name: Bound("at_least", AT_LEAST) for name in list(metrics)[:2]}
    return Measured(metrics, floor, bounds, peers)


def _snapshot(root: Path, count: int) -> Path:
    """A snapshot of `count` frames of the clip, evenly spread."""
    footage = ingest(IngestSettings(video=fetch_clip()), root / "footage")
    step = len(footage.pictures) // count
    items, files = [], {}
    for picture in footage.pictures[: step * count : step]:
        file = root / "footage" / picture.file
        key = file_sha256(file, "picture")
        files[key] = file
        items.append(
            Item(
                id=key,
                file=f"images/{key}.jpg",
                width=footage.width,
                height=footage.height,
                source=footage.name,
                frame=picture.frame,
                captured_at=picture.seconds,
                split="train",
                labels=(),
            )
        )
    header = Header("clip", "detection", ("person",), "teacher")
    write_snapshot(root / "before", header, items, lambda item: files[item.id])
    return root / "before"


def _engine() -> ov.AsyncInferQueue:
    """OpenVINO on all cores, as the teacher sets it up: one stream and one request a core."""
    core = ov.Core()
    model = core.read_model(fetch_teacher())
    model.reshape([1, _SIDE, _SIDE, 3])
    hints = {
        "INFERENCE_PRECISION_HINT": native_precision(),
        "INFERENCE_NUM_THREADS": cores(),
        "NUM_STREAMS": cores(),
    }
    return ov.AsyncInferQueue(core.compile_model(model, "CPU", hints), cores())


def _bare(engine: ov.AsyncInferQueue, frames: Frames) -> Cost:
    """The engine over decoded frames, after one to warm up."""
    _infer(engine, _cut(frames[0]))
    engine.wait_all()
    wall, cpu = time.monotonic(), _cpu_seconds()
    for frame in frames:
        _infer(engine, _cut(frame))
    engine.wait_all()
    return Cost((time.monotonic() - wall) / len(frames), (_cpu_seconds() - cpu) / len(frames))


def _on_cut_tiles(engine: ov.AsyncInferQueue, frames: Frames) -> Cost:
    """The engine alone: even the tiles are cut before."""
    every = [list(_cut(frame)) for frame in frames[:16]]
    wall, cpu = time.monotonic(), _cpu_seconds()
    for windows in every:
        _infer(engine, windows)
    engine.wait_all()
    return Cost((time.monotonic() - wall) / len(every), (_cpu_seconds() - cpu) / len(every))


def _infer(engine: ov.AsyncInferQueue, windows: Iterable[NDArray[np.uint8]]) -> None:
    for window in windows:
        engine.start_async({"image": window[None]})


def _cut(frame: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    height, width = frame.shape[:2]
    for x0, y0, x1, y1 in tiles(width, height, TeacherSettings()):
        window = Image.fromarray(np.ascontiguousarray(frame[y0:y1, x0:x1]))
        yield np.asarray(window.resize((_SIDE, _SIDE), Image.Resampling.BILINEAR))


def _auto(snapshot: Path, out: Path, items: tuple[Item, ...]) -> tuple[Cost, float]:
    """`label auto` from the moment on at which all workers are at work, and the seconds before."""
    settings = AutoLabelSettings(
        (parse_teacher("person"),), EngineSettings(precision=native_precision()), batch=1
    )
    warm = 2 * cores()  # frames, two for each worker
    marks: dict[int, Cost] = {}

    def mark(done: int, _total: int, _text: str) -> None:
        if done == warm:
            marks[done] = Cost(time.monotonic(), _cpu_seconds() + _cpu_of_children())

    begin = time.monotonic()
    auto_label(settings, snapshot, out, mark)
    wall, cpu = time.monotonic() - marks[warm].wall, _cpu_seconds() - marks[warm].cpu
    counted = len(items) - warm - (cores() - 1)  # begun before, by all but the one that was done
    return Cost(wall / counted, cpu / counted), marks[warm].wall - begin


def _cpu_seconds() -> float:
    """Of this process and of its children that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _cpu_of_children() -> float:
    """Of the worker processes that are running."""
    total = 0
    for child in multiprocessing.active_children():
        fields = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")
