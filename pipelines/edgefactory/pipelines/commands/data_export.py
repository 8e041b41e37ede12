"""Write a snapshot as a foreign data set, and say what that has no place for.

label-studio writes one JSON file of tasks with the labels as predictions to correct, and the
labelling interface beside it; `edgefactory data import label-studio` brings the answers back.
The other formats write a folder: pictures, and the labels that were accepted or reviewed.
"""

from argparse import ArgumentParser, Namespace

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen

HELP = "write a snapshot as COCO, YOLO, VOC, class folders, pictures, Label Studio JSON"
STAGE: str | None = None

FORMATS = ("coco", "yolo", "voc", "folders", "pictures", "label-studio")
STATES = ("queued", "accepted", "reviewed", "rejected")


def options(parser: ArgumentParser) -> None:
    """The format, the snapshot, where it goes, and which labels."""
    parser.add_argument("format", choices=FORMATS, help="how the data are to be laid out")
    parser.add_argument("snapshot", metavar="SNAP", help="the snapshot's folder")
    parser.add_argument(
        "--out", metavar="PATH", required=True, help="the new folder; label-studio: the new file"
    )
    parser.add_argument(
        "--state",
        choices=STATES,
        action="append",
        help="labels in this state go along (default: accepted and reviewed); label-studio: they "
        "make a picture a task (default: queued); may be repeated",
    )
    parser.add_argument(
        "--base-url",
        metavar="URL",
        help="label-studio: where the snapshot's folder is served to the labellers",
    )


def run(args: Namespace, screen: Screen) -> Outcome:
    """A snapshot -> foreign data."""
    from pathlib import Path

    from edgefactory.datasets.errors import InputError
    from edgefactory.datasets.formats import FORMS, STANDING, counted, export_data_set

    if (args.base_url is not None) != (args.format == "label-studio"):
        raise InputError("--base-url belongs to label-studio, and label-studio needs it")
    if args.format == "label-studio":
        return _tasks(args)
    out, states = Path(args.out), frozenset(args.state or STANDING)
    form = (args.format, FORMS[args.format])
    done = export_data_set(form, Path(args.snapshot), out, states, screen.progress)
    lost = f"; {args.format} does not keep: {counted(done.lost)}" if done.lost else ""
    return Outcome(
        f"{done.pictures} pictures and {done.labels} labels in {out}{lost}",
        {
            "pictures": done.pictures,
            "labels": done.labels,
            "lost": dict(done.lost),
            "out": str(out),
        },
    )


def _tasks(args: Namespace) -> Outcome:
    import json
    from pathlib import Path

    from edgefactory.datasets import read_snapshot
    from edgefactory.datasets.files import write_file
    from edgefactory.datasets.formats import export_tasks, labelling_config

    snapshot = read_snapshot(Path(args.snapshot))
    tasks = export_tasks(snapshot, args.base_url, frozenset(args.state or ("queued",)))
    out = Path(args.out)
    interface = out.with_suffix(".xml")
    write_file(out, (json.dumps(tasks, indent=1) + "\n").encode())
    config = labelling_config(snapshot.classes, snapshot.task)
    write_file(interface, f"{config}\n".encode())
    return Outcome(
        f"{len(tasks)} tasks in {out}, the labelling interface in {interface}",
        {"tasks": len(tasks), "out": str(out), "interface": str(interface)},
    )
