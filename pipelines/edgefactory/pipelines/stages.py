"""The line: which stages there are, in which order, and which command each one is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """One stage of the line; `command` is what follows `edgefactory` on the command line."""

    name: str
    command: tuple[str, ...]
    does: str


LINE = (
    Stage("fetch", ("data", "fetch"), "footage, teacher and human truth"),
    Stage("ingest", ("data", "ingest"), "pictures out of the footage"),
    Stage("label", ("data", "label"), "labels, each with its origin and score"),
    Stage("snapshot", ("data", "snapshot"), "a checked, split, versioned data set"),
    Stage("train", ("train",), "a small specialist for this scene"),
    Stage("compress", ("compress",), "variants for each engine"),
    Stage("prove", ("prove",), "evidence bound to the files' digests"),
    Stage("release", ("release", "build"), "one release of it all"),
    Stage("gate", ("gate",), "may it leave the house?"),
    Stage("publish", ("release", "publish"), "signed metadata and static files"),
    Stage("branch", ("branch", "run"), "pull, verify, self-test and run at the branch"),
    Stage("report", ("report",), "what it all came to"),
)

STAGES = {stage.name: stage for stage in LINE}


def position(name: str) -> str:
    """Where the stage called `name` stands: "5/12"."""
    names = [stage.name for stage in LINE]
    return f"{names.index(name) + 1}/{len(names)}"
