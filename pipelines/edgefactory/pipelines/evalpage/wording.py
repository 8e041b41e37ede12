"""What figures, slices and mistakes are called, and how they are written. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from edge_runtime.contract import Task
from edgefactory.training.evaluation import Evaluation, Measure, Slice


class Words(NamedTuple):
    """A figure's or a mistake's name, and what it means."""

    name: str
    means: str


FIGURES: Final[Mapping[str, Words]] = {
    "ap": Words("AP", "mean over IoU 0.50 to 0.95, as COCO has it"),
    "ap50": Words("AP50", "average precision, boxes right from IoU 0.50 up"),
    "ap75": Words("AP75", "average precision, boxes right from IoU 0.75 up"),
    "ap_small": Words("AP small", "boxes below 32² square pixels"),
    "ap_medium": Words("AP medium", "boxes from 32² to 96² square pixels"),
    "ap_large": Words("AP large", "boxes from 96² square pixels up"),
    "ar1": Words("AR1", "recall with one box a class and picture, mean over IoU"),
    "ar10": Words("AR10", "recall with ten boxes"),
    "ar100": Words("AR100", "recall with a hundred boxes"),
    "precision": Words("precision", "how many of its finds are right"),
    "recall": Words("recall", "how much of what is there it finds"),
    "f1": Words("F1", "harmonic mean of precision and recall"),
    "false_alarms": Words("false alarms", "a picture"),
    "cost": Words("cost", "a picture, by the costs that were given"),
    "accuracy": Words("accuracy", "how many pictures are named rightly"),
    "balanced_accuracy": Words("balanced accuracy", "mean recall of the classes"),
    "top5": Words("top 5", "the right class is among the five most probable"),
    "log_loss": Words("log loss", "-log of the probability of what is true; less is better"),
    "recall_at_1": Words("recall@1", "the most alike picture is of the same identity"),
    "map": Words("mAP", "how early all pictures of the same identity come"),
    "tar_at_far_1e-2": Words("TAR at FAR 1%", "same pairs accepted where 1 in 100 others is"),
    "tar_at_far_1e-3": Words("TAR at FAR 0.1%", "same pairs accepted where 1 in 1,000 others is"),
    "eer": Words("equal error rate", "same pairs refused as often as others accepted"),
    "auc": Words("AUC", "chance that a same pair is more alike than another"),
}
MISTAKES: Final[Mapping[str, Words]] = {
    "missed": Words("Missed", "There is something, and the model found nothing."),
    "false-alarm": Words("False alarms", "The model found something where nothing is."),
    "wrong-class": Words("Wrong class", "The model gave it another name."),
    "poor-box": Words("Poor boxes", "The right class, but the box overlaps by less than half."),
    "duplicate": Words("Duplicates", "A second box on an object that was found already."),
    "confused": Words("Confused", "The most alike picture is of another identity."),
}
BY: Final[Mapping[str, str]] = {
    "class": "by class",
    "size": "by size of the object",
    "source": "by camera or other source",
    "time": "by time of day",
}
DEAREST: Final[Mapping[Task, str]] = {
    "detection": "Of each kind the dearest first: what a mistake costs, times how sure the model "
    "was of it. Counted at the operating point, at IoU 0.5.",
    "classification": "Those first to whose truth the model gave the least probability.",
    "embedding": "Those first where the wrong picture is nearer than the right one by most.",
}
LABELLED: Final[Mapping[str, str]] = {
    "human": "labelled by people",
    "imported": "with imported labels",
    "teacher": "labelled by a teacher: this is agreement with it, not truth",
}
_OF_SLICES: Final[Mapping[Task, tuple[str, ...]]] = {
    "detection": ("ap50", "recall", "precision"),
    "classification": ("accuracy", "balanced_accuracy", "recall", "precision", "f1"),
    "embedding": ("recall_at_1", "map"),
}
_FIRST: Final[Mapping[Task, tuple[str, ...]]] = {
    "detection": ("ap50", "recall", "precision"),
    "classification": ("accuracy", "balanced_accuracy", "log_loss"),
    "embedding": ("recall_at_1", "map", "auc", "eer"),
}


def title(found: Evaluation, by: str) -> str:
    """What the slices of one kind are called."""
    return f"{BY[by]} ({found.zone})" if by == "time" else BY[by]


def first_figures(found: Evaluation) -> tuple[str, ...]:
    """The figures that are looked at first."""
    return _FIRST[found.model.task]


def slice_figures(found: Evaluation, by: str) -> tuple[str, ...]:
    """The figures that the slices of one kind are compared by, the first of them first."""
    there = {name for part in found.slices if part.by == by for name in part.figures}
    return tuple(name for name in _OF_SLICES[found.model.task] if name in there)


def too_small(slices: Sequence[Slice]) -> str:
    """Which slices are too small for figures, and what that means; "" where none is."""
    small = [part for part in slices if part.why]
    if not small:
        return ""
    more = f" and {len(small) - 1} more" if len(small) > 1 else ""
    return f"too small for figures: {small[0].name} ({small[0].why}){more}"


def value(figure: Measure | None) -> str:
    """0.894, 8.24, or a dash."""
    if figure is None or figure.value is None:
        return "–"
    return f"{figure.value:.3f}" if abs(figure.value) < 10 else f"{figure.value:.1f}"


def bounds(figure: Measure | None) -> str:
    """0.864–0.920, or nothing."""
    if figure is None or figure.interval is None:
        return ""
    digits = 3 if max(map(abs, figure.interval)) < 10 else 1
    return "–".join(f"{end:.{digits}f}" for end in figure.interval)


def share(figure: Measure | None) -> str:
    """89%, or a dash; never 100% or 0% where that is only the nearest whole number."""
    if figure is None or figure.value is None:
        return "–"
    if figure.value not in (0.0, 1.0) and not 0.005 <= figure.value < 0.995:
        return "over 99%" if figure.value > 0.5 else "under 1%"
    return f"{100 * figure.value:.0f}%"


def called(found: Evaluation) -> str:
    """The model as people call it: "cctv 0.1.0 (openvino-int8)"."""
    model = found.model
    return f"{model.name} ({model.variant})" if model.variant else model.name


def claim(found: Evaluation) -> str:
    """The result in one sentence."""
    figures = found.overall()
    if found.model.task == "detection":
        right = figures["precision"]
        if right.value is None:
            return "Finds nothing at this operating point"
        return (
            f"Finds {share(figures['recall'])} of what is there; {share(right)} of its finds are "
            "right"
        )
    if found.model.task == "classification":
        n = figures["accuracy"].n
        return f"Right in {100 * (figures['accuracy'].value or 0):.1f}% of {n:,} pictures"
    first = figures["recall_at_1"]
    return f"Finds the right one first in {share(first)} of {first.n:,} questions"


def judged_on(found: Evaluation) -> str:
    """Which pictures, and who labelled them: "46 pictures of the split test, labelled by …"."""
    data = found.data
    said = f"{data.pictures:,} pictures of the split {data.split}"
    if data.unlabelled:
        said += f" ({data.unlabelled:,} more have no settled class and are left out)"
    return f"{said}, {LABELLED[data.test_labels]}" if data.split == "test" else said


def point_says(found: Evaluation) -> str:
    """The operating point, and what it was chosen by; "" where there is none."""
    point = found.point
    if point is None:
        return ""
    said = f"a detection counts from the score {point.score_threshold:.4g} up: {point.chosen_by}"
    if point.chosen_on is None:
        return f"{said} (brought along by the release)"
    if point.chosen_on == found.data.split:
        return f"{said}. It was chosen on the very pictures that it is judged on, which flatters it"
    return said


def calibration_says(found: Evaluation) -> str:
    """Whether confidences can be believed; "" where nobody asked."""
    calibration = found.calibration
    if calibration is None:
        return ""
    before, after = calibration.before, calibration.after
    if before.ece.value is None:
        return f"calibration is not judged: {before.ece.why}"
    said = f"expected calibration error {value(before.ece)}"
    if before.chance is not None:
        said += f" (a calibrated model would show {before.chance:.3f} on so few)"
    if after is None or calibration.temperature is None:
        return f"{said}; no temperature: {calibration.why}"
    return f"{said}; {value(after.ece)} at the temperature {calibration.temperature:.2f}"
