"""What speaks for asking about each picture: its labels, teachers, and the frames around it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Final

from edgefactory.datasets.asking.motion import (
    Pixels,
    moving,
    small,
    triples,
    typical_size,
    unexplained,
)
from edgefactory.datasets.asking.opinions import Opinion
from edgefactory.datasets.asking.questions import Reason
from edgefactory.datasets.asking.signals import disagreement, gaps, uncertainty
from edgefactory.datasets.documents import Item, Label, Progress, Snapshot
from edgefactory.datasets.snapshot import load_picture
from edgefactory.datasets.tracks import TrackSettings, sequences

Evidence = dict[str, dict[Reason, float]]
"""The signals of each picture, by id."""

_UNLABELLED: Final = 0.5  # how unsure one is of a picture that no detector has looked at
# Every box counts as seen. Holes of one frame: of longer ones, most are two tracks mixed up.
_TRACKS: Final = TrackSettings(gap=1, flicker=0.0)


def evidence(snapshot: Snapshot, pool: Sequence[Item], others: Sequence[Opinion]) -> Evidence:
    """The signals of each picture of `pool`, as far as labels and `others` tell them."""
    labelled = any(map(_machines, (label for item in snapshot.items for label in item.labels)))
    blind = snapshot.task == "detection" and not labelled and not others
    found: Evidence = {}
    for item in pool:
        said = _by_teacher(item) or ([] if others and not labelled else [()])
        said += [other[item.id] for other in others]
        unsure = max(uncertainty(labels, snapshot.task) for labels in said)
        found[item.id] = {"uncertain": _UNLABELLED if blind else unsure}
        differ = [disagreement(a, b, snapshot.task) for a, b in combinations(said, 2)]
        found[item.id]["disagreement"] = max(differ, default=0.0)
    for item_id, missing in gaps(snapshot.items, _TRACKS).items():
        if item_id in found:
            found[item_id]["gap"] = missing
    return found


def add_motion(found: Evidence, snapshot: Snapshot, folder: Path, report: Progress) -> None:
    """Add to `found` what moves and is in no box, for the frames of videos among its pictures.

    Every frame of the snapshot in `folder` that has neighbours in time on both sides is read.
    """
    typical = typical_size(snapshot.items)
    runs = [run for run in sequences(snapshot.items, _TRACKS) if len(run) > 2]
    done, total = 0, sum(map(len, runs))
    for run in runs:
        recent: dict[int, Pixels] = {}
        for before, now, after in triples([item.captured_at for item in run]):
            recent = {index: kept for index, kept in recent.items() if index >= before}
            for index in range(max(recent, default=before - 1) + 1, after + 1):
                recent[index] = small(load_picture(folder, run[index]))
            report(done + now, total, "looking for motion")
            if run[now].id in found:
                mask = moving(recent[before], recent[now], recent[after])
                found[run[now].id]["motion"] = unexplained(mask, run[now], typical)
        done += len(run)


def _by_teacher(item: Item) -> list[Sequence[Label]]:
    """The machine's labels of a picture, those of each teacher together."""
    groups: dict[str, list[Label]] = {}
    for label in filter(_machines, item.labels):
        groups.setdefault(label.origin, []).append(label)
    return list(groups.values())


def _machines(label: Label) -> bool:
    return label.origin.startswith("teacher:")
