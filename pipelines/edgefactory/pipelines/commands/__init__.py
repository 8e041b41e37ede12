"""The commands of `edgefactory`, one a module; a module imports what is heavy when it runs."""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import Protocol

from edgefactory.pipelines.commands import (
    branch_install,
    branch_run,
    compress,
    demo,
    doctor,
    export,
    fetch,
    gate,
    import_,
    ingest,
    label,
    prove,
    release_build,
    release_publish,
    release_verify,
    report,
    snapshot,
    train,
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
    "train": train,
    "compress": compress,
    "prove": prove,
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
            "export": export,
            "import": import_,
        },
    ),
    "release": (
        "build, publish and verify releases",
        {"build": release_build, "publish": release_publish, "verify": release_verify},
    ),
    "branch": (
        "install the slim runtime and run a branch",
        {"install": branch_install, "run": branch_run},
    ),
}
