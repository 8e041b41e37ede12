"""Write the snapshot's open labels as Label Studio tasks, with the teacher's boxes to correct.

Import the file in Label Studio; `edgefactory data import` brings back what people said.
"""

from argparse import ArgumentParser, Namespace

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen

HELP = "write open labels as tasks for people"
STAGE: str | None = None

STATES = ("queued", "accepted", "reviewed", "rejected")


def options(parser: ArgumentParser) -> None:
    """The form, the file, and which labels."""
    parser.add_argument("form", choices=("label-studio",), help="the labelling tool")
    parser.add_argument("--workspace", metavar="DIR", default=".", help="the folder of the line")
    parser.add_argument("--out", metavar="FILE", required=True, help="the tasks, as JSON")
    parser.add_argument(
        "--base-url",
        metavar="URL",
        required=True,
        help="where snapshot/ is served to the labellers",
    )
    parser.add_argument(
        "--state",
        choices=STATES,
        action="append",
        help="labels in this state make a picture a task (default: queued); may be repeated",
    )


def run(args: Namespace, _screen: Screen) -> Outcome:
    """snapshot/ -> tasks and, beside them, the labelling interface."""
    import json
    from pathlib import Path

    from edgefactory.datasets import export_tasks, labelling_config, read_snapshot
    from edgefactory.pipelines.workspace import open_workspace, write_atomically

    workspace = open_workspace(Path(args.workspace))
    snapshot = read_snapshot(workspace.require("snapshot", "edgefactory data snapshot"))
    tasks = export_tasks(snapshot, args.base_url, frozenset(args.state or ("queued",)))
    out = Path(args.out)
    interface = out.with_suffix(".xml")
    write_atomically(out, json.dumps(tasks, indent=1) + "\n")
    write_atomically(interface, labelling_config(snapshot.classes, snapshot.task) + "\n")
    return Outcome(
        f"{len(tasks)} tasks in {out}, the labelling interface in {interface}",
        {"tasks": len(tasks), "out": str(out), "interface": str(interface)},
    )
