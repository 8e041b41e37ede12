"""From answers and truth to figures that one can act on. Pure: no torch, no files, no engines."""

from edgefactory.training.evaluation.classification import Guesses, evaluate_classes
from edgefactory.training.evaluation.detection import Boxes, evaluate_detections
from edgefactory.training.evaluation.document import (
    Bin,
    Calibration,
    Confusion,
    Curve,
    Data,
    Evaluation,
    Form,
    Kind,
    Measure,
    Mistake,
    Model,
    Point,
    Reliability,
    Slice,
)
from edgefactory.training.evaluation.embedding import Vectors, evaluate_embeddings
from edgefactory.training.evaluation.operating import (
    Costs,
    Shown,
    best_f1,
    cheapest,
    parse_costs,
    precise,
)
from edgefactory.training.evaluation.subject import Judging, Subject
from edgefactory.training.evaluation.truth import class_of, has_class, numbers, truth_of

__all__ = [
    "Bin",
    "Boxes",
    "Calibration",
    "Confusion",
    "Costs",
    "Curve",
    "Data",
    "Evaluation",
    "Form",
    "Guesses",
    "Judging",
    "Kind",
    "Measure",
    "Mistake",
    "Model",
    "Point",
    "Reliability",
    "Shown",
    "Slice",
    "Subject",
    "Vectors",
    "best_f1",
    "cheapest",
    "class_of",
    "evaluate_classes",
    "evaluate_detections",
    "evaluate_embeddings",
    "has_class",
    "numbers",
    "parse_costs",
    "precise",
    "truth_of",
]
