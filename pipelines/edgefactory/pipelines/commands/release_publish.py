"""Sign the release and publish it as static files: published/.

Reads the section `publish` (the roll-out). With --request, the signatures of the line and the
approver come from signed requests (`release propose`, `release approve`), and only the online keys
are asked for; they are not read where the release is published already. Without --request one
machine plays everybody, as in the demo: keys are made in keys/ when there are none yet. They are
never an output of the line, so that no cache ever holds one.
"""

from argparse import ArgumentParser, Namespace

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen
from edgefactory.pipelines.signing import read_requests

HELP = "sign and publish the release"
STAGE: str | None = "publish"


def options(parser: ArgumentParser) -> None:
    """Signed requests."""
    parser.add_argument(
        "--request",
        metavar="FILE",
        action="append",
        default=[],
        help="the signed request; give it again for a copy that somebody else has signed",
    )


def run(args: Namespace, screen: Screen) -> Outcome:
    """release/ and gate/ -> published/."""
    from edgefactory.pipelines.params import read_params, settings
    from edgefactory.pipelines.tracking import tracking_uri
    from edgefactory.pipelines.workspace import Workspace
    from edgefactory.registry import (
        ReleaseNotice,
        RolloutSettings,
        create_keys,
        init_repository,
        is_published,
        notify,
        publish,
        read_verdict,
        register,
        verify_published,
    )

    workspace = Workspace(args.workspace)
    rollout = settings(
        read_params(workspace.params)["publish"], RolloutSettings, "params.yaml: publish"
    )
    release = workspace.require("release", "edgefactory release build")
    verdict_file = workspace.require("gate/verdict.json", "edgefactory gate")
    verdict = read_verdict(verdict_file)
    keys, published = workspace / "keys", workspace / "published"
    screen.progress(0, 3, "keys and root of trust")
    request = None
    if args.request:
        if not is_published(release, verdict_file, published):
            request = read_requests(args.request)
    else:
        if not keys.exists():
            create_keys(keys)
            screen.note("       new keys in keys/ (one machine plays all the roles in a demo)")
        init_repository(published, keys)
    root = published / "metadata" / "1.root.json"
    screen.progress(1, 3, "signing")
    done = publish(release, verdict_file, keys, published, rollout, request)
    screen.progress(2, 3, "checking what a site will see")
    verify_published(published, root)
    register(release, tracking_uri(workspace), verdict=verdict_file)
    if done.changed:
        notice = ReleaseNotice("notice/1", done.model, done.version, done.sequence, done.digest)
        notify(notice, screen.note)
    said = "published" if done.changed else "was published already"
    return Outcome(
        f"{done.model} {done.version} {said}, sequence {done.sequence}; signatures verify",
        {
            "changed": done.changed,
            "model": done.model,
            "version": done.version,
            "sequence": done.sequence,
            "sha256": done.digest,
            "passed": verdict.passed,
        },
    )
