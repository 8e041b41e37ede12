"""The commands of `edgefactory`, one a module; a module imports what is heavy when it runs."""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import Protocol

from edgefactory.pipelines.commands import (
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
    label,
    label_auto,
    label_next,
    label_pull,
    label_push,
    label_serve,
    label_status,
    parity,
    prove,
    recipe,
    registry_add,
    registry_alias,
    registry_get,
    registry_show,
    release_build,
    release_publish,
    release_verify,
    report,
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
    "gate": gate,
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
        "build, publish and verify releases",
        {"build": release_build, "publish": release_publish, "verify": release_verify},
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
