"""Run the whole line into a workspace: footage in, a signed specialist running at a branch out.

What has not changed since the last run is not done again. Without --video the public clip is
taken; where neither it nor the network is here, the embedded line (--line digits) runs instead.
"""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen, duration

HELP = "run the whole line and show what came out"
STAGE: str | None = None


def options(parser: ArgumentParser) -> None:
    """The workspace and what the line is fed with."""
    parser.add_argument("--workspace", metavar="DIR", required=True, help="the folder of the line")
    parser.add_argument(
        "--line",
        choices=("cctv", "digits"),
        help="people in a camera's view (default), or voucher digits that need no download",
    )
    parser.add_argument("--video", metavar="FILE", help="a video of your own")
    parser.add_argument("--truth", metavar="FILE", help="human labels of that video (truth/1)")
    parser.add_argument("--teacher", metavar="FILE", help="another teacher (.onnx), or its wheel")
    parser.add_argument(
        "--count-line",
        metavar="X0,Y0,X1,Y1",
        type=_count_line,
        help="count who crosses this line, in pixels of the video",
    )
    parser.add_argument(
        "--edge-python", metavar="PATH", help="the branch's Python (default: one is installed)"
    )
    parser.add_argument("--open", action="store_true", help="open the report in a browser")


def run(args: Namespace, screen: Screen) -> Outcome:
    """Lay out, install the branch's environment, run the stages, show."""
    import webbrowser

    screen.progress(0, 0, "starting up")
    from edgefactory.pipelines.branch import default_venv, install, probe
    from edgefactory.pipelines.demo import Wishes, choose_line, lay_out, reproduce

    root = Path(args.workspace)
    wishes = Wishes(
        args.line, _path(args.video), _path(args.truth), _path(args.teacher), args.count_line
    )
    line, instead = choose_line(wishes, root, screen.progress)
    if instead:
        screen.note(f"Running the embedded line (--line digits) instead: {instead}")
    workspace = lay_out(wishes, line, root)
    if args.edge_python:
        edge = probe(Path(args.edge_python).absolute())
    else:
        edge = install(default_venv(), screen.progress)
    screen.heading(f"{line} in {workspace.root}")
    done = reproduce(workspace, edge.python, args.verbose)
    if done.failure is not None:
        failure = done.failure
        if failure.stage == "gate":
            screen.note(f"Every figure: `edgefactory report --workspace {args.workspace}`")
        figures = {"failed": failure.stage, "line": failure.line}
        return Outcome("", figures, failure.exit_code)
    if done.unchanged:
        screen.note(f"unchanged: {', '.join(done.unchanged)}")
    page = workspace / "report.html"
    summary = _show(workspace.root, screen)
    if args.open:
        webbrowser.open(page.as_uri())
    return Outcome(
        f"{duration(done.seconds)}; the report: {page}",
        {
            "workspace": str(workspace.root),
            "line": line,
            "seconds": round(done.seconds, 1),
            "done": list(done.done),
            "unchanged": list(done.unchanged),
            "report": str(page),
            "summary": summary,
        },
    )


def _show(root: Path, screen: Screen) -> object:
    import json

    from edgefactory.pipelines.report import read_summary, show_summary

    path = root / "summary.json"
    show_summary(read_summary(path), screen.console)
    return json.loads(path.read_bytes())


def _path(name: str | None) -> Path | None:
    return Path(name).absolute() if name else None


def _count_line(text: str) -> tuple[int, int, int, int]:
    try:
        x0, y0, x1, y1 = (int(part) for part in text.split(","))
    except ValueError:
        raise ArgumentTypeError(
            f"expected four whole numbers X0,Y0,X1,Y1, found {text!r}"
        ) from None
    if min(x0, y0, x1, y1) < 0 or (x0, y0) == (x1, y1):
        raise ArgumentTypeError(f"expected two different points with no negative number: {text!r}")
    return x0, y0, x1, y1
