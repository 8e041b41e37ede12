"""The commands of `edgefactory`, one a module; a module imports what is heavy when it runs."""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import Protocol

from edgefactory.pipelines.commands import (
    approve,
    bench,
    branch_install,
    branch_run,
    compress,
    data_check,
    data_diff,
    data_export,
    data_import,
    data_merge,
    data_pull,
    data_push,
    data_remap,
    data_split,
    data_stats,
    data_versions,
    demo,
    doctor,
    evaluate,
    fetch,
    gate,
    ingest,
    keys_create,
    keys_show,
    label,
    label_auto,
    label_next,
    label_pull,
    label_push,
    label_serve,
    label_status,
    outcomes,
    parity,
    promote,
    prove,
    recipe,
    registry_add,
    registry_alias,
    registry_get,
    registry_show,
    release_approve,
    release_attest,
    release_block,
    release_build,
    release_propose,
    release_publish,
    release_revoke,
    release_verify,
    repo_apply,
    repo_export,
    repo_init,
    repo_refresh,
    repo_rotate,
    repo_sign,
    repo_sync,
    report,
    rollout_floor,
    rollout_pause,
    rollout_resume,
    rollout_rollback,
    rollout_status,
    snapshot,
    specialise,
    train,
    tune,
)
from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen


class Command(Protocol):
    """What a module of this folder offers. `STAGE` names the stage that it is, if it is one."""

    __doc__: str | None
    HELP: str
    STAGE: str | None

    def options(self, parser: ArgumentParser, /) -> None:
        """Add the command's own options."""

    def run(self, args: Namespace, screen: Screen, /) -> Outcome:
        """Do it."""


TOP: Mapping[str, Command] = {
    "demo": demo,
    "recipe": recipe,
    "train": train,
    "specialise": specialise,
    "tune": tune,
    "compress": compress,
    "prove": prove,
    "evaluate": evaluate,
    "parity": parity,
    "bench": bench,
    "outcomes": outcomes,
    "approve": approve,
    "gate": gate,
    "promote": promote,
    "report": report,
    "doctor": doctor,
}

GROUPS: Mapping[str, tuple[str, Mapping[str, Command]]] = {
    "data": (
        "footage, labels and snapshots",
        {
            "fetch": fetch,
            "ingest": ingest,
            "label": label,
            "snapshot": snapshot,
            "export": data_export,
            "import": data_import,
            "diff": data_diff,
            "stats": data_stats,
            "check": data_check,
            "merge": data_merge,
            "remap": data_remap,
            "split": data_split,
            "push": data_push,
            "pull": data_pull,
            "versions": data_versions,
        },
    ),
    "label": (
        "let machines label, and people where machines are not sure enough",
        {
            "auto": label_auto,
            "next": label_next,
            "serve": label_serve,
            "push": label_push,
            "pull": label_pull,
            "status": label_status,
        },
    ),
    "release": (
        "build, sign, publish, verify and block releases",
        {
            "build": release_build,
            "propose": release_propose,
            "approve": release_approve,
            "attest": release_attest,
            "publish": release_publish,
            "verify": release_verify,
            "block": release_block,
            "revoke": release_revoke,
        },
    ),
    "keys": (
        "make keys, and say which is which",
        {"create": keys_create, "show": keys_show},
    ),
    "repo": (
        "begin a repository, keep it fresh, change its keys",
        {
            "init": repo_init,
            "sign": repo_sign,
            "apply": repo_apply,
            "rotate": repo_rotate,
            "refresh": repo_refresh,
            "export": repo_export,
            "sync": repo_sync,
        },
    ),
    "rollout": (
        "how releases reach the sites: pause, resume, take back, look",
        {
            "status": rollout_status,
            "pause": rollout_pause,
            "resume": rollout_resume,
            "rollback": rollout_rollback,
            "floor": rollout_floor,
        },
    ),
    "registry": (
        "releases by name: versions, verdicts, aliases",
        {
            "add": registry_add,
            "alias": registry_alias,
            "show": registry_show,
            "get": registry_get,
        },
    ),
    "branch": (
        "install the slim runtime and run a branch",
        {"install": branch_install, "run": branch_run},
    ),
}
