"""Play one branch: serve published/ on 127.0.0.1, and let a slim process pull, verify and run.

Reads the section `branch`; writes branch/. The branch is a separate environment (see
`edgefactory branch install`), which holds no torch and nothing of the factory.
"""

from argparse import ArgumentParser, Namespace

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen

HELP = "pull, verify, self-test and run at a branch"
STAGE: str | None = "branch"

PYTHON_VARIABLE = "EDGEFACTORY_EDGE_PYTHON"


def options(parser: ArgumentParser) -> None:
    """Which Python the branch has."""
    parser.add_argument(
        "--edge-python",
        metavar="PATH",
        help=f"the branch's Python (default: ${PYTHON_VARIABLE}, else `branch install`'s)",
    )


def run(args: Namespace, screen: Screen) -> Outcome:
    """published/ and the footage -> branch/."""
    import os
    from pathlib import Path

    from edgefactory.pipelines.branch import default_venv, play
    from edgefactory.pipelines.params import read_params, settings
    from edgefactory.pipelines.settings import BranchSettings
    from edgefactory.pipelines.workspace import Workspace

    workspace = Workspace(args.workspace)
    wanted = settings(
        read_params(workspace.params)["branch"], BranchSettings, "params.yaml: branch"
    )
    named = args.edge_python or os.environ.get(PYTHON_VARIABLE)
    python = Path(named).absolute() if named else default_venv() / "bin" / "python"
    result = play(wanted, workspace, python, screen.progress)
    once, ran = result.once, result.run
    if result.vouchers is not None:
        counted = f"{result.vouchers[0]} of {result.vouchers[1]} vouchers read without a mistake"
    else:
        counts = ran["counts"]
        counted = f"counted {counts.get('in', 0)} in and {counts.get('out', 0)} out"
    return Outcome(
        f"{counted}; {once['variant']} verified, self-test passed, "
        f"{ran['infer_ms_p50']:.1f} ms a frame",
        {"release": ran["release"], "variant": once["variant"], "counts": ran["counts"]},
    )
