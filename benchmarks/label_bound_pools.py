"""Pools of pictures whose truth is known, with a machine's labels: what `label-bound` draws from.

- digits: scikit-learn's 1,797 handwritten digits, labelled by a linear discriminant, out of
  fold (five blocks, so that few writers are in two).
- sheets: the same labels, five neighbouring digits to a picture, as boxes: a writer's hand makes
  errors come in clusters.
- persons: the teacher's boxes on the 46 frames of `vtest.avi` that have truth. 46 pictures are too
  few to draw from; the pool is 1,500 draws from them with replacement, whole frames with whatever
  errors they have, as of longer footage of the same kind.
- stress: labels whose score says nothing, of which just more than the bound allows are wrong, at
  random places (single) or as whole pictures of five (clusters): whatever is accepted there is a
  violation or next to one, so a method that spends all the error it may spends it here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from edgefactory.datasets import (
    CLIP_SHA256,
    Item,
    Label,
    TeacherSettings,
    TiledTeacher,
    fetch_clip,
    fetch_teacher,
    read_truth,
    shipped_truth,
)
from edgefactory.datasets.documents import Box
from edgefactory.datasets.video import read_frames

ORIGIN = "teacher:" + "0" * 64
PERSON = "human:truth"
Booleans = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Known:
    """What the machine and what people say of each picture."""

    machine: Sequence[tuple[Label, ...]]
    people: Sequence[tuple[Label, ...]]

    def items(self, name: str) -> list[tuple[Item, Item]]:
        """Each picture as it is before and after people have reviewed it."""
        pairs = []
        for index, (machine, people) in enumerate(zip(self.machine, self.people, strict=True)):
            id_ = sha256(f"{name}:{index}".encode()).hexdigest()
            new = Item(id_, f"images/{id_}.jpg", 1024, 1024, name, index, 0.0, "train", machine)
            done = Item(
                id_,
                new.file,
                new.width,
                new.height,
                name,
                index,
                0.0,
                "train",
                (*machine, *people),
                reviewed=True,
            )
            pairs.append((new, done))
        return pairs


def _says(class_: str, box: Box | None, score: float) -> Label:
    return Label(class_, box, ORIGIN, score, "queued")


def _true(class_: str, box: Box | None, ignore: bool = False) -> Label:
    return Label(class_, box, PERSON, 1.0, "reviewed", ignore)


def _read_digits() -> tuple[list[str], list[str], Floats]:
    """Said and true class, and score, of every digit, in the data set's order."""
    from sklearn.datasets import load_digits
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.model_selection import KFold, cross_val_predict

    pixels, true = load_digits(return_X_y=True)
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.1)
    shares = cross_val_predict(model, pixels, true, cv=KFold(5), method="predict_proba")
    said = shares.argmax(axis=1)
    return [str(c) for c in said], [str(c) for c in true], shares.max(axis=1)


def digits() -> Known:
    """One label a picture."""
    said, true, scores = _read_digits()
    machine = [(_says(c, None, float(s)),) for c, s in zip(said, scores, strict=True)]
    return Known(machine, [(_true(c, None),) for c in true])


def sheets(side: int = 5) -> Known:
    """`side` digits a picture, side by side."""
    said, true, scores = _read_digits()
    starts = range(0, len(said) - side + 1, side)

    def box(place: int) -> Box:
        return (100.0 * place, 0.0, 100.0 * place + 90, 90.0)

    machine = [
        tuple(_says(said[s + i], box(i), float(scores[s + i])) for i in range(side)) for s in starts
    ]
    return Known(machine, [tuple(_true(true[s + i], box(i)) for i in range(side)) for s in starts])


def persons(pictures: int = 1500) -> Known:
    """The teacher's boxes, and people's, on frames of the clip drawn with replacement."""
    path = shipped_truth(CLIP_SHA256)
    assert path is not None
    truth = {entry.frame: entry.boxes for entry in read_truth(path).frames}
    teacher = TiledTeacher(fetch_teacher(), TeacherSettings(threads=2))
    machine, people = [], []
    for frame in read_frames(fetch_clip(), frozenset(truth)):
        found = teacher.predict(frame.pixels)
        rows = zip(found.boxes.tolist(), found.scores.tolist(), strict=True)
        machine.append(tuple(_says("person", tuple(b), s) for b, s in rows if s >= 0.2))
        people.append(tuple(_true(b.class_, b.box, b.ignore) for b in truth[frame.index]))
    drawn = np.random.default_rng(0).integers(len(machine), size=pictures)
    return Known([machine[i] for i in drawn], [people[i] for i in drawn])


def stress(max_error: float, each: int, pictures: int = 4000) -> Known:
    """Pictures with `each` labels; the fewest wrong ones that make the pool's share too large."""
    rng = np.random.default_rng(1)
    bad = int(max_error * pictures) + 1
    wrong = np.zeros(pictures, np.bool_)
    wrong[rng.permutation(pictures)[:bad]] = True
    scores = rng.random((pictures, each))

    def box(place: int) -> Box | None:
        return None if each == 1 else (100.0 * place, 0.0, 100.0 * place + 90, 90.0)

    machine = [tuple(_says("a", box(i), float(s)) for i, s in enumerate(row)) for row in scores]
    right = tuple(_true("a", box(i)) for i in range(each))
    return Known(machine, [() if bad_one else right for bad_one in wrong])
