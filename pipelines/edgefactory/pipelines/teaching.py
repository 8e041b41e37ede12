"""What `label auto`, `label next` and `data check` share: which teachers are asked."""

from argparse import Namespace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgefactory.datasets.teachers import TeacherSpec


def chosen_teachers(args: Namespace) -> "tuple[TeacherSpec, ...]":
    """Those of `--teacher`, each with the names of `--classes`; InputError for a wrong one."""
    from edgefactory.datasets.teachers import parse_teacher

    classes = tuple(name.strip() for name in args.classes.split(",") if name.strip())
    return tuple(parse_teacher(text, classes) for text in args.teacher)
