"""Make a snapshot of foreign data: annotated data sets, folders of pictures, a video, sequences.

PATH is a folder, a COCO file, a YOLO data.yaml, a video, or Label Studio's JSON export. Pictures
are put right where that loses nothing; what cannot be used stops the import with one line that
names the file (--drop-bad leaves it out instead), and then nothing is written. An import takes
over the splits of the data, else everything is in train; `edgefactory data split` divides it. With
--truth, the frames of a video that people annotated test, and those before them train and validate.

Sequences are recordings of sound (.wav, .flac, .mp3, .ogg) or features over time (.npy, .csv) in
class folders; each --steps of them become a picture, one column a step.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import TYPE_CHECKING

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen

if TYPE_CHECKING:
    from edgefactory.datasets.formats import SequenceSettings
    from edgefactory.datasets.sampling import SamplingSettings

HELP = (
    "make a snapshot of COCO, YOLO, VOC, class folders, pictures, a video, sound or features over "
    "time, Label Studio JSON"
)
STAGE: str | None = None

MAX_BYTES = 512 * 1024 * 1024

_ANNOTATED = frozenset({"name", "classes", "annotator", "drop_bad"})
_SAMPLED = frozenset({"name", "classes", "task", "sample", "step", "seconds", "threshold", "truth"})
# Which options belong to which format.
FORMATS: Mapping[str, frozenset[str]] = {
    "coco": _ANNOTATED | {"images"},
    "yolo": _ANNOTATED,
    "voc": _ANNOTATED,
    "folders": _ANNOTATED,
    "pictures": frozenset({"name", "classes", "task", "drop_bad"}),
    "video": _SAMPLED,
    "sequences": _ANNOTATED | {"steps", "hop", "rate", "signal"},
    "label-studio": frozenset({"snapshot"}),
}


def options(parser: ArgumentParser) -> None:
    """What comes in, how to read it where it leaves that open, and where the snapshot goes."""
    parser.add_argument("format", choices=tuple(FORMATS), help="how the data are laid out")
    parser.add_argument("path", metavar="PATH", help="the data")
    parser.add_argument("--out", metavar="SNAP", required=True, help="the new snapshot's folder")
    parser.add_argument("--name", help="the snapshot's name (default: that of PATH)")
    parser.add_argument("--classes", metavar="A,B", help="the classes, in their order")
    parser.add_argument(
        "--task",
        choices=("detection", "classification"),
        help="of pictures and video (default: detection)",
    )
    parser.add_argument(
        "--annotator", metavar="WHO", help="the person who drew and checked these labels"
    )
    parser.add_argument("--images", metavar="DIR", help="where COCO's pictures lie")
    parser.add_argument(
        "--drop-bad",
        action="store_const",
        const=True,
        help="leave out and count what cannot be used",
    )
    parser.add_argument(
        "--snapshot", metavar="SNAP", help="the snapshot that Label Studio's tasks were made of"
    )
    parser.add_argument(
        "--sample",
        choices=("step", "time", "motion", "scene"),
        help="which frames of a video are kept (default: step)",
    )
    parser.add_argument("--step", type=int, metavar="N", help="every N-th frame")
    parser.add_argument("--seconds", type=float, metavar="S", help="a frame every S seconds")
    parser.add_argument(
        "--truth",
        metavar="FILE",
        help="people's annotations of the last part of a video (docs/formats/truth.md)",
    )
    parser.add_argument(
        "--threshold", type=float, metavar="T", help="how much must change, for motion and scene"
    )
    _sequence_options(parser)


def _sequence_options(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--steps", type=int, metavar="N", help="steps of a picture (default: the longest recording)"
    )
    parser.add_argument(
        "--hop", type=int, metavar="N", help="steps from one picture to the next (default: --steps)"
    )
    parser.add_argument(
        "--rate",
        type=float,
        metavar="HZ",
        help="samples of sound a second (default: 16000), or steps of features (default: 1)",
    )
    parser.add_argument(
        "--signal",
        metavar="FILE",
        help="how sequences become pictures: a JSON file, or a snapshot that does the same",
    )


def run(args: Namespace, screen: Screen) -> Outcome:
    """Foreign data -> a snapshot."""
    from edgefactory.datasets.errors import InputError

    known = frozenset().union(*FORMATS.values())
    given = {name for name in known if getattr(args, name) is not None}
    for name in sorted(given - FORMATS[args.format]):
        option = f"--{name.replace('_', '-')}"
        raise InputError(f"{option} has no meaning for {args.format}: leave it out")
    if args.format == "label-studio":
        return _reviewed(args)
    return _imported(args, screen)


def _imported(args: Namespace, screen: Screen) -> Outcome:
    from pathlib import Path

    from msgspec import to_builtins

    from edgefactory.datasets.formats import (
        FORMS,
        ImportSettings,
        counted,
        import_data_set,
        import_sequences,
        import_video,
    )

    settings = ImportSettings(
        name=args.name,
        task=args.task or "detection",
        classes=tuple(args.classes.split(",")) if args.classes else None,
        annotator=args.annotator,
        images=Path(args.images) if args.images else None,
        drop_bad=bool(args.drop_bad),
    )
    path, out = Path(args.path), Path(args.out)
    if args.format == "video":
        truth = Path(args.truth) if args.truth else None
        found = import_video(path, out, settings, _sampling(args), screen.progress, truth)
    elif args.format == "sequences":
        found = import_sequences(path, out, settings, _sequences(args), screen.progress)
    else:
        found = import_data_set(FORMS[args.format], path, out, settings, screen.progress)
    signal = found.header.signal
    each = f" of {signal.steps} steps ({signal.seconds:.4g} s)" if signal else ""
    beside = f"; {counted(found.counts)}" if found.counts else ""
    return Outcome(
        f"{found.pictures} pictures{each}, {len(found.header.classes)} classes in {out}; the "
        f"snapshot is {found.digest[:12]}{beside}",
        {
            "sha256": found.digest,
            "pictures": found.pictures,
            "classes": list(found.header.classes),
            "counts": dict(found.counts),
            "out": str(out),
        }
        | ({"signal": to_builtins(signal)} if signal else {}),
    )


def _sequences(args: Namespace) -> "SequenceSettings":
    from pathlib import Path

    from edgefactory.datasets.formats import SequenceSettings, read_signal

    signal = read_signal(Path(args.signal)) if args.signal else None
    return SequenceSettings(args.steps, args.hop, args.rate, signal)


def _sampling(args: Namespace) -> "SamplingSettings":
    from edgefactory.datasets.sampling import SamplingSettings

    chosen = {"step": args.step, "seconds": args.seconds, "threshold": args.threshold}
    given = {key: value for key, value in chosen.items() if value is not None}
    return SamplingSettings(by=args.sample or "step", **given)


def _reviewed(args: Namespace) -> Outcome:
    from pathlib import Path

    from edgefactory.datasets import header_of, read_snapshot
    from edgefactory.datasets.carrying import pictures_of, write_snapshot
    from edgefactory.datasets.errors import InputError
    from edgefactory.datasets.files import read_bytes
    from edgefactory.datasets.formats import import_annotations
    from edgefactory.datasets.statements import without_broken_bounds

    if args.snapshot is None:
        raise InputError("label-studio: name the snapshot that the tasks are of with --snapshot")
    folder = Path(args.snapshot)
    before = read_snapshot(folder)
    content = read_bytes(Path(args.path), MAX_BYTES, "export")
    after = import_annotations(content, before, args.path)
    changed = sum(a != b for a, b in zip(after.items, before.items, strict=True))
    out = Path(args.out)
    header, items = without_broken_bounds(header_of(after), lambda: iter(after.items))
    digest = write_snapshot(out, header, items(), pictures_of(folder))
    return Outcome(
        f"{changed} pictures reviewed; the new snapshot is {digest[:12]} in {out}",
        {"reviewed": changed, "sha256": digest, "out": str(out)},
    )
