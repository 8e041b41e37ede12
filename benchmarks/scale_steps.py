"""The steps of `snapshot_scale`, each run in a process of its own, so that its memory is its own.

`python benchmarks/scale_steps.py STEP FOLDER PICTURES` prints seconds and peak GB as JSON. The
manifests are generated: two boxes a picture on average, 50 sources, names, times.
"""

import hashlib
import json
import random
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import replace

from edgefactory.datasets import (
    Header,
    Item,
    Label,
    MergeSettings,
    SplitSettings,
    compare,
    divided,
    merged,
    stream_items,
    write_manifest,
)

HEADER = Header("scale", "detection", ("person", "bag"), "teacher")
TEACHER = "teacher:" + "5" * 64


def make(folder: Path, size: int) -> None:
    """The old manifest, three newer ones, and one to merge with."""
    changes = {"old": _same, "few": _few, "all": _all, "other": _other}
    for name, change in changes.items():
        (folder / name).mkdir()
        write_manifest(folder / name, HEADER, change(size))
    (folder / "shuffled").mkdir()
    lines = (folder / "old" / "manifest.jsonl").read_bytes().splitlines(keepends=True)
    rest = lines[1:]
    random.Random(0).shuffle(rest)
    (folder / "shuffled" / "manifest.jsonl").write_bytes(b"".join([lines[0], *rest]))


def _same(size: int) -> Iterator[Item]:
    return (_item(number, size) for number in range(size))


def _few(size: int) -> Iterator[Item]:
    for number in range(size + size // 100):
        item = _item(number, size)
        kind = number % 100
        if kind == 0 and number < size:
            continue
        if kind == 1:
            item = replace(item, split="val" if item.split == "train" else "train")
        elif kind == 2:
            item = replace(item, labels=_moved(item.labels))
        yield item


def _all(size: int) -> Iterator[Item]:
    return (replace(item, labels=_moved(item.labels)) for item in _same(size))


def _other(size: int) -> Iterator[Item]:
    """The old one's second half with other labels, and as many pictures more."""
    for number in range(size // 2, size + size // 2):
        item = _item(number, size)
        yield replace(item, labels=_moved(item.labels)) if number < size else item


def _moved(labels: tuple[Label, ...]) -> tuple[Label, ...]:
    """Every box a little moved, and one more."""
    moved = tuple(
        replace(label, box=(box[0] + 1.5, box[1], box[2] + 1.5, box[3]))
        for label in labels
        if (box := label.box) is not None
    )
    return (*moved, Label("bag", (1.0, 1.0, 9.0, 9.0), TEACHER, 0.5, "queued"))


def _item(number: int, size: int) -> Item:
    """Picture `number`: everything about it follows from the number."""
    hashed = hashlib.sha256(number.to_bytes(8, "big"))
    digest, dice = hashed.hexdigest(), hashed.digest()
    source = number * 50 // size
    labels = []
    for place in range(dice[0] % 5):
        x, y, likely = dice[3 * place + 1 : 3 * place + 4]
        box = (x * 2.25, y * 1.5, x * 2.25 + 40, y * 1.5 + 90)
        name = HEADER.classes[likely % 2]
        labels.append(Label(name, box, TEACHER, 0.2 + likely / 320, "accepted"))
    return Item(
        id=digest,
        file=f"images/{digest}.jpg",
        width=768,
        height=576,
        source=f"camera-{source}",
        frame=number,
        captured_at=number / 5,
        split="train",
        labels=tuple(labels),
        name=f"camera-{source}/{number}.jpg",
    )


def check(folder: Path, _size: int) -> None:
    """Every item parsed and checked, as each command does that reads a snapshot."""
    for _ in stream_items(folder / "old"):
        pass


def read(folder: Path, _size: int) -> None:
    """The floor: both manifests read line by line and compared as bytes."""
    paths = folder / "old/manifest.jsonl", folder / "all/manifest.jsonl"
    with paths[0].open("rb") as old, paths[1].open("rb") as new:
        assert sum(a == b for a, b in zip(old, new, strict=True)) == 1


def diff_few(folder: Path, size: int) -> None:
    """1% of everything is different."""
    found = compare(folder / "old", folder / "few")
    assert found.relabelled == sum(found.moved.values()) == size // 100


def diff_all(folder: Path, size: int) -> None:
    """Every picture's labels are different."""
    assert compare(folder / "old", folder / "all").relabelled == size


def diff_shuffled(folder: Path, size: int) -> None:
    """Nothing is different, but the order of the lines."""
    assert compare(folder / "old", folder / "shuffled").same == size


def merge(folder: Path, size: int) -> None:
    """Two that have half of their pictures in common become one, written anew."""
    union = merged([folder / "old", folder / "other"], MergeSettings())
    assert union.shared == size - size // 2
    _write(folder, union.header, union.items())


def split(folder: Path, _size: int) -> None:
    """By time and source, written anew."""
    division = divided(folder / "old", SplitSettings())
    _write(folder, division.header, division.items())


def _write(folder: Path, header: Header, items: Iterator[Item]) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as out:
        write_manifest(Path(out), header, items)


STEPS = {
    step.__name__: step
    for step in (make, read, check, diff_few, diff_all, diff_shuffled, merge, split)
}


def main(name: str, folder: str, size: str) -> None:
    """One step; its figures as JSON on stdout."""
    started, used = time.monotonic(), time.process_time()
    STEPS[name](Path(folder), int(size))
    figures = {
        "seconds": time.monotonic() - started,
        "cpu_seconds": time.process_time() - used,
        "gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9,
    }
    sys.stdout.write(json.dumps({key: round(value, 3) for key, value in figures.items()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
