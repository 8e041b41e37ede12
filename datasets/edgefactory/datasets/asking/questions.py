"""The file between `label next` and `label push`: which pictures to ask about, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

from edge_runtime.contract.codec import encode
from edgefactory.datasets.documents import Name, Sha256, read_document
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.files import write_file

Reason = Literal["calibration", "uncertain", "unlike", "gap", "motion", "disagreement"]
"""Why a person should look at a picture.

`calibration`: drawn at random, so that an error can be stated of the labels; `uncertain`: the
teacher's own scores are near a threshold or close together; `unlike`: no picture that a person
has seen looks like it; `gap`: an object was found before and after, and not here; `motion`:
something moves where nothing was found; `disagreement`: teachers say different things.
"""


class Question(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One picture to ask about. `value` is its worth when it was chosen, 0 and up, comparable
    within its file only; `why` names the reasons, the weightiest first."""

    id: Sha256
    why: Annotated[tuple[Reason, ...], Meta(min_length=1)]
    value: Annotated[float, Meta(ge=0.0)] = 0.0


class Questions(Struct, frozen=True, forbid_unknown_fields=True):
    """`next/1`: the pictures of one snapshot that people should look at, most useful first.

    `snapshot` is the digest of the snapshot that was looked at, `embedding` says how pictures
    were compared, `asked` is the order in which to ask.
    """

    schema: Literal["next/1"]
    snapshot: Sha256
    embedding: Name
    asked: tuple[Question, ...]


def write_questions(path: Path, questions: Questions) -> None:
    """Write the file; `StorageError` when it cannot be written."""
    write_file(path, encode(questions))


def read_questions(path: Path) -> Questions:
    """Read the file at `path`.

    Raises `MissingError` when it is not there, `InputError` when it is not a valid `next/1` or
    asks about a picture twice.
    """
    questions = read_document(path, Questions)
    if len({question.id for question in questions.asked}) != len(questions.asked):
        raise InputError(f"{path} asks about a picture twice; write it again with `label next`")
    return questions
