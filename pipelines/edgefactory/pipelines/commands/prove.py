"""Measure every variant and the teacher on the held-out pictures: evidence/.

Reads the section `prove`, and from `label` how the teacher looks at a picture, so that it is judged
as it labelled. Each figure names the digest of the very file that was executed.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import TYPE_CHECKING

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen

if TYPE_CHECKING:
    from edgefactory.compress import ProveSettings

HELP = "measure variants and teacher on held-out pictures"
STAGE: str | None = "prove"

TILING = ("tile", "stride", "whole")


def options(parser: ArgumentParser) -> None:
    """No options of its own."""


def run(args: Namespace, screen: Screen) -> Outcome:
    """variants/, snapshot/ and input/teacher -> evidence/."""
    from edgefactory.pipelines.inputs import source_file
    from edgefactory.pipelines.params import read_params
    from edgefactory.pipelines.workspace import Workspace

    workspace = Workspace(args.workspace)
    params = read_params(workspace.params)
    variants = workspace.require("variants", "edgefactory compress")
    snapshot = workspace.require("snapshot", "edgefactory data snapshot")
    teacher = source_file(workspace.teacher)
    screen.progress(0, 0, "starting up")
    from edgefactory.compress import prove as measure

    book = measure(
        wanted(params), variants, snapshot, teacher, workspace / "evidence", screen.progress
    )
    figures: dict[str, dict[str, float]] = {}
    for item in book.items:
        figures.setdefault(item.subject, {}).setdefault(item.metric, item.value)
    return Outcome(_headline(figures, len(book.items)), {"figures": figures})


def wanted(params: Mapping[str, Mapping[str, object]]) -> "ProveSettings":
    """How to prove, by the sections `prove` and `label`; InputError for what they must not hold."""
    from edgefactory.compress import ProveSettings
    from edgefactory.pipelines.params import settings

    looks = {key: params["label"][key] for key in TILING if key in params["label"]}
    return settings({**looks, **params["prove"]}, ProveSettings, "params.yaml: prove")


def _headline(figures: dict[str, dict[str, float]], count: int) -> str:
    int8 = {name: found for name, found in figures.items() if name.endswith("int8")}
    metric = next((m for m in ("ap50", "accuracy") for found in int8.values() if m in found), None)
    if metric is None:
        return f"{count} figures"
    best = max((name for name in int8 if metric in int8[name]), key=lambda n: int8[n][metric])
    said = f"{best} {metric} {int8[best][metric]:.3f}"
    if metric in figures.get("teacher", {}):
        said += f", teacher {figures['teacher'][metric]:.3f}"
    ratios = [found["time_ratio"] for found in int8.values() if "time_ratio" in found]
    return said + (f"; up to {max(ratios):.0f}x less time a frame" if ratios else "")
