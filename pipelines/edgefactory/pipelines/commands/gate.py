"""May a release be signed? Judge it by a policy; exit code 0: yes, 4: no.

RELEASE is a release's folder. A rule `champion` of the policy compares it with the release in use
(--against): on the test pictures of RELEASE, for which `edgefactory outcomes` makes what the
champion decides (--outcomes) unless both were proven on the same snapshot. --out writes
verdict.json and verdict.html. What is missing fails its rule.

Without RELEASE it is the stage of a workspace: release/ and the section `gate` of params.yaml
(`policy`, a file in the workspace) -> gate/verdict.json and gate/verdict.html.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen
from edgefactory.pipelines.signing import KEY_HELP, key_of, line_signer

if TYPE_CHECKING:
    from edgefactory.registry import Given, Verdict

HELP = "may a release be signed? judge it by a policy"
STAGE: str | None = "gate"

REFUSED = 4
SHOWN = 3  # reasons on the screen; gate/verdict.json has all of them
REASON_WIDTH = 110  # characters of each


def options(parser: ArgumentParser) -> None:
    """The release, the policy, and what a verdict may need besides."""
    parser.add_argument("release", metavar="RELEASE", nargs="?", help="a release's folder")
    parser.add_argument("--policy", metavar="FILE", help="the policy (docs/gating.md)")
    parser.add_argument("--against", metavar="CHAMPION", help="the folder of the release in use")
    parser.add_argument(
        "--outcomes", metavar="FILE", help="what the champion decides on RELEASE's test pictures"
    )
    parser.add_argument(
        "--approval", metavar="FILE", action="append", default=[], help="once or several times"
    )
    parser.add_argument("--out", metavar="DIR", help="write verdict.json and verdict.html there")
    parser.add_argument("--key", metavar="KEY", help=f"attest the verdict in --out: {KEY_HELP}")


def run(args: Namespace, screen: Screen) -> Outcome:
    """A release and a policy -> a verdict."""
    _check(args)
    return _stage(args, screen) if args.release is None else _named(args, screen)


def _check(args: Namespace) -> None:
    from edgefactory.datasets.errors import InputError

    if args.release is not None:
        if args.policy is None:
            raise InputError("gate RELEASE needs --policy FILE, what the release must reach")
        if args.key and not args.out:
            raise InputError("--key signs for the verdict that --out DIR keeps; give --out too")
        if args.outcomes and not args.against:
            raise InputError("--outcomes is what the champion decides; give --against CHAMPION too")
        return
    for name in ("policy", "against", "outcomes", "approval", "out", "key"):
        if getattr(args, name):
            raise InputError(
                f"--{name} goes with RELEASE, a release's folder; a workspace has its params.yaml"
            )


def _named(args: Namespace, screen: Screen) -> Outcome:
    import msgspec

    from edgefactory.datasets.errors import MissingError

    folder, policy = Path(args.release), Path(args.policy)
    if not folder.is_dir():
        raise MissingError(f"{folder} is not there; expected the folder of a release")
    screen.progress(0, 0, "judging")
    from edgefactory.pipelines.gatepage import claim, print_verdict
    from edgefactory.registry import Given, attest_verdict, gate

    given = Given(
        Path(args.against) if args.against else None,
        Path(args.outcomes) if args.outcomes else None,
        tuple(Path(path) for path in args.approval),
    )
    verdict = gate(folder, policy, given)
    page = _write(verdict, folder, policy, given, Path(args.out)) if args.out else None
    if args.key:
        attest_verdict(folder, Path(args.out) / "verdict.json", key_of(args))
    screen.clear()
    if not args.json:
        print_verdict(verdict)
    line = f"{claim(verdict)}; {page}" if page else claim(verdict)
    return Outcome(line, msgspec.to_builtins(verdict), 0 if verdict.passed else REFUSED)


def _stage(args: Namespace, screen: Screen) -> Outcome:
    from edgefactory.pipelines.params import read_params, settings
    from edgefactory.pipelines.settings import GateSettings
    from edgefactory.pipelines.workspace import Workspace
    from edgefactory.registry import Given, attest_verdict, gate, refuse

    workspace = Workspace(args.workspace)
    wanted = settings(read_params(workspace.params)["gate"], GateSettings, "params.yaml: gate")
    screen.progress(0, 0, "judging")
    release = workspace.require("release", "edgefactory release build")
    policy, given = workspace / wanted.policy, Given()
    verdict = gate(release, policy)
    _write(verdict, release, policy, given, workspace / "gate")
    signer = line_signer(workspace, screen.note)
    if signer is not None:
        attest_verdict(release, workspace / "gate" / "verdict.json", signer)
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


def _write(verdict: "Verdict", folder: Path, policy: Path, given: "Given", out: Path) -> Path:
    """verdict.json, and the path of the page beside it."""
    from edge_runtime.contract import Release
    from edgefactory.datasets.documents import read_document
    from edgefactory.pipelines.gatepage.page import Judged, write_page
    from edgefactory.registry import write_verdict

    write_verdict(verdict, out / "verdict.json")
    judged = Judged(
        read_document(folder / "release.json", Release),
        policy.read_text(encoding="utf-8"),
        read_document(given.against / "release.json", Release) if given.against else None,
    )
    return write_page(verdict, judged, out)
