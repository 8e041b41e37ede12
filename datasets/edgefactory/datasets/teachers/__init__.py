"""Teachers: models that label pictures, all behind one Protocol.

`parse_teacher` reads a teacher's one-line description, `open_teacher` loads it, `open_teachers`
fuses several. See docs/teachers.md.
"""

from edgefactory.datasets.teachers.found import Found, Teacher, classified, detected
from edgefactory.datasets.teachers.opening import fetched, open_teacher, open_teachers
from edgefactory.datasets.teachers.spec import (
    KINDS,
    EngineSettings,
    TeacherSpec,
    Views,
    parse_teacher,
)

__all__ = [
    "KINDS",
    "EngineSettings",
    "Found",
    "Teacher",
    "TeacherSpec",
    "Views",
    "classified",
    "detected",
    "fetched",
    "open_teacher",
    "open_teachers",
    "parse_teacher",
]
