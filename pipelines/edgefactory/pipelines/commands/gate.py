"""Judge the release by the policy; exit code 4 when it may not leave the house.

Reads the section `gate`: `policy`, a file in the workspace. The verdict is written to
gate/verdict.json either way, every rule with what it found and what it required.
"""

from argparse import ArgumentParser, Namespace
from textwrap import shorten

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen

HELP = "judge the release by the policy"
STAGE: str | None = "gate"

SHOWN = 3  # reasons on the screen; gate/verdict.json has all of them
REASON_WIDTH = 110  # characters of each


def options(parser: ArgumentParser) -> None:
    """No options of its own."""


def run(args: Namespace, screen: Screen) -> Outcome:
    """release/ and the policy -> gate/verdict.json."""
    from edgefactory.pipelines.params import read_params, settings
    from edgefactory.pipelines.settings import GateSettings
    from edgefactory.pipelines.workspace import Workspace
    from edgefactory.registry import gate, refuse, write_verdict

    workspace = Workspace(args.workspace)
    wanted = settings(read_params(workspace.params)["gate"], GateSettings, "params.yaml: gate")
    screen.progress(0, 0, "judging")
    release = workspace.require("release", "edgefactory release build")
    verdict = gate(release, workspace / wanted.policy)
    write_verdict(verdict, workspace / "gate" / "verdict.json")
    against = [found for found in verdict.rules if not found.passed]
    for found in against[:SHOWN]:
        reason = shorten(found.reason, REASON_WIDTH)
        screen.note(f"       no: {found.rule}: {found.subject}: {reason}")
    if len(against) > SHOWN:
        screen.note(f"       and {len(against) - SHOWN} more, in gate/verdict.json")
    refuse(verdict)
    return Outcome(
        f"passed: {len(verdict.rules)} findings, none against it",
        {"passed": True, "release": verdict.release, "rules": len(verdict.rules)},
    )
