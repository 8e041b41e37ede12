"""What each kind of finding is called, what it means, and what to do about it."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from edgefactory.datasets.checks import Kind


class Words(NamedTuple):
    """A kind's heading, what it is, and what to do."""

    title: str
    means: str
    advice: str


WORDS: Final[Mapping[Kind, Words]] = {
    "leak": Words(
        "Leaks between splits",
        "The same picture, or a neighbouring frame, is in two splits: what is measured on the "
        "held-out one is too good.",
        "Take one of them out, or split again by source and time.",
    ),
    "exact-duplicate": Words(
        "Exact duplicates",
        "Different files whose every pixel is equal.",
        "Keep one of each pair.",
    ),
    "near-duplicate": Words(
        "Near duplicates",
        "Pictures that are equal but for size, crop, light or compression.",
        "Keep the better of each pair, unless they were meant as augmentation.",
    ),
    "label-error": Words(
        "Likely label errors",
        "A model that has not seen the label would give another class.",
        "Look at them, the first ones first, and correct what is wrong.",
    ),
    "missing-box": Words(
        "Missing boxes",
        "The teacher is as sure as it is where labels agree with it, and there is no label.",
        "Draw what is missing, or mark it as ignored.",
    ),
    "misplaced-box": Words(
        "Misplaced boxes",
        "The label and what the teacher sees overlap too little to be the same box.",
        "Move the box.",
    ),
    "unseen-box": Words(
        "Boxes without anything in them",
        "There is a label, and the teacher sees nothing there.",
        "Look at them: a slip of the hand, or something that the teacher cannot see.",
    ),
    "odd-box": Words(
        "Odd boxes",
        "Size or shape is far from that of the others of the class.",
        "Look at them: often two things in one box, or a slip of the hand.",
    ),
    "class-imbalance": Words(
        "Class imbalance",
        "A class has few labels, or a split has none of it.",
        "Collect more of it; what is measured for it has a wide interval.",
    ),
    "dark": Words(
        "Dark", "Too dark against its source.", "Leave them out, or label them as they are."
    ),
    "over-exposed": Words(
        "Over-exposed",
        "Much more of the picture is white than is usual in its source.",
        "Leave them out, or label them as they are.",
    ),
    "blurred": Words(
        "Blurred",
        "Much less detail than is usual in its source.",
        "Leave them out where boxes cannot be drawn with certainty.",
    ),
    "occluded": Words(
        "Covered views",
        "Much of the picture is not the scene that the camera usually sees.",
        "Look whether something stood before the lens, or whether the camera was moved.",
    ),
}
