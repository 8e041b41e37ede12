"""What to ask a person next: pictures of a snapshot, the most useful first, each with reasons."""

from edgefactory.datasets.asking.choosing import Choice, choose
from edgefactory.datasets.asking.embedding import Embedding, open_embedding
from edgefactory.datasets.asking.questions import (
    Question,
    Questions,
    Reason,
    read_questions,
    write_questions,
)
from edgefactory.datasets.asking.ranking import AskSettings, next_questions
from edgefactory.datasets.asking.signals import uncertainty, worth

__all__ = [
    "AskSettings",
    "Choice",
    "Embedding",
    "Question",
    "Questions",
    "Reason",
    "choose",
    "next_questions",
    "open_embedding",
    "read_questions",
    "uncertainty",
    "worth",
    "write_questions",
]
