"""From a graph's outputs to decisions, and whether two sets of decisions agree."""

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from msgspec import UnsetType

from edge_runtime.contract.release import Decisions, Task, Tolerance
from edge_runtime.errors import ContractError

Outputs = Mapping[str, npt.NDArray[np.generic]]

_UNIT = 0.01  # how far from 1 the length of an embedding may lie (bf16 rounds)


def all_finite(values: npt.NDArray[np.generic]) -> bool:
    """Whether no number is infinite or NaN.

    The largest and the smallest say it, for NaN counts as both: `isfinite` with its array of
    answers takes twice as long where a model has just emptied the processor's caches.
    """
    if not values.size:
        return True
    return math.isfinite(values.item(values.argmax())) and math.isfinite(
        values.item(values.argmin())
    )


def iou_matrix(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Intersection over union of each box in `a` [n,4] with each in `b` [m,4] (xyxy): [n,m]."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    inter = np.prod(np.clip(high - low, 0, None), axis=2)
    area_a = np.prod(np.clip(a[:, 2:] - a[:, :2], 0, None), axis=1)
    area_b = np.prod(np.clip(b[:, 2:] - b[:, :2], 0, None), axis=1)
    union = area_a[:, None] + area_b[None, :] - inter
    ratio: npt.NDArray[np.float32] = np.where(union > 0, inter / np.maximum(union, 1e-9), 0)
    return ratio.astype(np.float32)


def decide(task: Task, outputs: Outputs, index: int, threshold: float) -> Decisions:
    """The decisions about picture `index` of the batch, from score `threshold` up, best first.

    A classification decides for its most probable class, whatever the threshold; an embedding is
    the decision itself. Raises ContractError when the outputs are not those of the graph contract,
    or not finite.
    """
    try:
        if task == "classification":
            return _decide_class(np.asarray(outputs["probabilities"], np.float32)[index])
        if task == "embedding":
            return _decide_embedding(np.asarray(outputs["embedding"], np.float32)[index])
        boxes = np.asarray(outputs["boxes"], np.float32)[index]
        scores = np.asarray(outputs["scores"], np.float32)[index]
        labels = np.asarray(outputs["labels"], np.int64)[index]
    except (KeyError, IndexError) as error:
        raise ContractError(f"the graph has no output {error}; found {sorted(outputs)}") from error
    except (TypeError, ValueError) as error:
        raise ContractError(f"the graph's outputs are no numbers: {error}") from error
    if boxes.shape != (*scores.shape, 4) or labels.shape != scores.shape or scores.ndim != 1:
        raise ContractError(
            f"expected boxes [K,4], scores [K], labels [K]; found {boxes.shape}, "
            f"{scores.shape}, {labels.shape}"
        )
    if not (all_finite(scores) and all_finite(boxes)):
        raise ContractError("the graph's boxes or scores are not finite numbers")
    order = [int(k) for k in np.argsort(-scores, kind="stable") if scores[k] >= threshold]
    corners = [[float(v) for v in boxes[k]] for k in order]
    return Decisions(
        labels=tuple(int(labels[k]) for k in order),
        scores=tuple(float(scores[k]) for k in order),
        boxes=tuple((c[0], c[1], c[2], c[3]) for c in corners),
    )


def _decide_class(probabilities: npt.NDArray[np.float32]) -> Decisions:
    if probabilities.ndim != 1 or not probabilities.size or not all_finite(probabilities):
        raise ContractError("expected finite probabilities [N,C]")
    best = int(probabilities.argmax())
    return Decisions(labels=(best,), scores=(float(probabilities[best]),))


def _decide_embedding(vector: npt.NDArray[np.float32]) -> Decisions:
    length = float(np.linalg.norm(vector)) if vector.ndim == 1 else float("nan")
    if not abs(length - 1) <= _UNIT:
        raise ContractError(
            f"expected an embedding [N,D] of length 1, found {vector.shape} of length {length:.3g}"
        )
    return Decisions((), (), embedding=tuple(vector.tolist()))


def disagreement(
    expected: Decisions, found: Decisions, threshold: float, tolerance: Tolerance
) -> str | None:
    """The first way in which `found` departs from `expected`, or None when they agree.

    Both are matched in order of score; a decision within `tolerance.score` of the threshold
    may be missing on either side. `expected` and `found` should be taken at
    `threshold - tolerance.score`, so that such decisions can be seen.
    """
    if not isinstance(expected.embedding, UnsetType) or not isinstance(found.embedding, UnsetType):
        return _embedding_disagreement(expected.embedding, found.embedding, tolerance)
    if expected.labels and found.labels and bool(expected.boxes) != bool(found.boxes):
        return "one of the two has boxes, the other has none"
    if not expected.boxes and not found.boxes:
        return _class_disagreement(expected, found, tolerance)
    left = set(range(len(found.labels)))
    with np.errstate(over="ignore", invalid="ignore"):  # boxes beyond all pictures match nothing
        overlap = iou_matrix(_boxes(expected), _boxes(found))
    for i, (label, score) in enumerate(zip(expected.labels, expected.scores, strict=True)):
        near = [j for j in left if found.labels[j] == label and overlap[i, j] >= tolerance.iou]
        if not near:
            if score >= threshold + tolerance.score:
                return f"a decision of score {score:.3f} is missing"
            continue
        match = max(near, key=lambda j: float(overlap[i, j]))
        left.discard(match)
        if abs(found.scores[match] - score) > tolerance.score:
            return f"a score is {found.scores[match]:.3f}, expected {score:.3f}"
    extra = [found.scores[j] for j in left if found.scores[j] >= threshold + tolerance.score]
    return f"an unexpected decision of score {max(extra):.3f}" if extra else None


def _class_disagreement(expected: Decisions, found: Decisions, tolerance: Tolerance) -> str | None:
    if expected.labels != found.labels:
        return f"class {found.labels}, expected {expected.labels}"
    for e, f in zip(expected.scores, found.scores, strict=True):
        if abs(e - f) > tolerance.score:
            return f"a probability is {f:.3f}, expected {e:.3f}"
    return None


def _embedding_disagreement(
    expected: tuple[float, ...] | UnsetType,
    found: tuple[float, ...] | UnsetType,
    tolerance: Tolerance,
) -> str | None:
    if isinstance(expected, UnsetType) or isinstance(found, UnsetType):
        return "one of the two is an embedding, the other is none"
    if len(expected) != len(found):
        return f"an embedding of {len(found)} numbers, expected {len(expected)}"
    with np.errstate(all="ignore"):  # numbers that no embedding has: no cosine, no agreement
        a, b = np.asarray(expected, np.float64), np.asarray(found, np.float64)
        cosine = float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))
    if cosine >= 1 - tolerance.score:
        return None
    return f"an embedding whose cosine to the expected one is {cosine:.3f}"


def _boxes(decisions: Decisions) -> npt.NDArray[np.float32]:
    return np.asarray(decisions.boxes, np.float32).reshape(-1, 4)
