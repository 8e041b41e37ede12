"""A voucher run: pictures of single digits in, one reading a voucher out."""

import re
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edge_runtime import durable
from edge_runtime.contract import Release, RunReport, VoucherRead, decide, encode, preprocess
from edge_runtime.engines import Session
from edge_runtime.errors import InputError, RefusedError
from edge_runtime.running import Active, Progress, Timing, run_report
from edge_runtime.streams.sources import pictures_in, read_picture

_NAME = re.compile(r"(?P<voucher>.+)_(?P<position>[0-9]+)")


@dataclass(frozen=True)
class VoucherRun:
    """What to run and where its outputs go."""

    active: Active
    session: Session
    pictures: Path
    stream: str
    out: Path


def group(files: list[Path]) -> dict[str, list[Path]]:
    """The pictures of each voucher in order of position, by names `<voucher>_<position>.png`.

    Raises InputError for another name, or when a position stands twice.
    """
    found: dict[str, dict[int, Path]] = defaultdict(dict)
    for path in files:
        match = _NAME.fullmatch(path.stem)
        if match is None:
            raise InputError(f"{path.name} is not named <voucher>_<position>{path.suffix}")
        position = int(match["position"])
        if position in found[match["voucher"]]:
            raise InputError(f"voucher {match['voucher']} has position {position} twice")
        found[match["voucher"]][position] = path
    return {voucher: [at[p] for p in sorted(at)] for voucher, at in sorted(found.items())}


def run_vouchers(run: VoucherRun, progress: Progress) -> RunReport:
    """Read every voucher and write events.jsonl and run.json.

    Raises InputError, MissingError, RefusedError, StorageError.
    """
    vouchers = group(pictures_in(run.pictures))
    durable.make_folder(run.out)
    release = run.active.release
    timing = Timing()
    lines: list[bytes] = []
    for number, (voucher, files) in enumerate(vouchers.items()):
        text, confidence = _read(run.session, release, files, timing)
        event = VoucherRead(
            stream=run.stream,
            voucher=voucher,
            digits=text,
            confidence=round(confidence, 4),
            release=run.active.slot.release.sha256,
        )
        lines.append(msgspec.json.encode(event) + b"\n")
        progress(number + 1, len(vouchers), f"voucher {voucher}")
    durable.write(run.out / "events.jsonl", b"".join(lines))
    counts = {"vouchers": len(vouchers), "digits": len(timing.infer)}
    report = run_report(run.active, run.stream, timing, 0, counts)
    durable.write(run.out / "run.json", encode(report))
    return report


def _read(
    session: Session, release: Release, files: list[Path], timing: Timing
) -> tuple[str, float]:
    text, confidence = "", 1.0
    for path in files:
        picture = read_picture(path)
        start = time.perf_counter()
        given, _ = preprocess(picture, release.input)
        before = time.perf_counter()
        outputs = session.run(given[None])
        after = time.perf_counter()
        decision = decide(release.task, outputs, 0, 0.0)
        timing.infer.append((after - before) * 1000)
        timing.frame.append((time.perf_counter() - start) * 1000)
        if decision.labels[0] >= len(release.labels):
            raise RefusedError(
                f"the model decides for class {decision.labels[0]}, which has no name"
            )
        text += release.labels[decision.labels[0]]
        confidence = min(confidence, decision.scores[0])
    return text, confidence
