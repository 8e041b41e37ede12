"""Which stage of a pipeline is the first to depart, and which layer of it.

The chain is what feeds the graph, the forms that the graph has taken (ONNX, OpenVINO, quantized),
and what reads its outputs. Each stage is given the input that is right, and is held against the
stage before it; so the first that departs is the one to mend. What departs:

- *pre-processing*: what is fed differs by more than decoders do;
- a *float* form: the first layer, in running order, whose output lies further from the form
  before than float arithmetic explains, though what it reads does not. Before the first
  convolution or matrix product the layer counts as pre-processing, after the last one as
  post-processing, where it counts only if decisions change (ties are broken at random there);
- a *quantized* form: the first layer that lies `EXCESS_DB` further off than the same graph
  quantized here (`quantization.Normals`), or whose weights or integers are not what they should
  be, or steps of activations that are another data's. If it is no worse than that and decisions
  change, quantization itself is named, which is no fault;
- *post-processing*: other answers are read from the same outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from edge_runtime.contract import Outputs, Placement
from edgefactory.compress.answers import Answer
from edgefactory.compress.parity import causes, layers
from edgefactory.compress.parity.document import Bisection, Found, Stage, Step
from edgefactory.compress.parity.inputs import Cause, Pair, input_cause, input_pairs
from edgefactory.compress.parity.layers import Place
from edgefactory.compress.parity.pairing import changed, paired
from edgefactory.compress.parity.pipeline import Fed, Form, Pipeline, UInt8
from edgefactory.compress.parity.quantization import Normals, confused_integers, steps_of
from edgefactory.compress.parity.readings import reading_cause
from edgefactory.compress.parity.tracing import load_graph, trace
from edgefactory.datasets import Progress
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.onnx_sessions import first_line, ort_refusals

FLOAT_DB: Final = 60.0  # engines of 32 bits agree to 100 and more
HALF_DB: Final = 15.0  # 16-bit floats, through many layers
INT8_DB: Final = 10.0  # where there is nothing to say what is normal
EXCESS_DB: Final = 6.0
TRACED: Final = 6  # pictures that layers are compared on
_ALIKE: Final = 0.1  # spread of numbers that are taken for one and the same
OFF: Final = 1.5  # a step of activations so many times another is another data's
NAMES: Final[Mapping[Stage, str]] = {
    "pre-processing": "pre-processing",
    "onnx": "the ONNX graph",
    "openvino": "the OpenVINO graph",
    "quantized": "the quantized graph",
    "post-processing": "post-processing",
}
MANY_OFF: Final = 0.25  # share of such steps


def _silent(_done: int, _total: int, _what: str) -> None:
    """No progress is shown."""


@dataclass(frozen=True)
class Looking:
    """How it is looked: the operating point, what quantization normally does, and progress."""

    point: float
    normals: Normals
    progress: Progress = _silent


@dataclass(frozen=True)
class _Case:
    """All that one bisection works with."""

    reference: Pipeline
    other: Pipeline
    how: Looking
    pairs: Sequence[Pair]

    @property
    def inputs(self) -> list[Fed]:
        """What graphs are fed rightly, of the pictures whose layers are looked at."""
        return [pair.reference for pair in self.pairs[:TRACED]]

    def answers(self, form: Form, fed: Callable[[Pair], Fed]) -> list[Answer]:
        """What the reference reads from a form's outputs."""
        read = self.reference.read
        return [read(run(form, fed(pair)), pair.places[0]) for pair in self.pairs]


def bisect(
    reference: Pipeline, other: Pipeline, pictures: Sequence[UInt8], how: Looking
) -> Bisection:
    """Go along the chain with these pictures. Raises InputError when a form cannot be run."""
    case = _Case(reference, other, how, input_pairs(reference, other, pictures))
    how.progress(0, len(other.forms) + 2, "comparing pre-processing")
    found = [_preprocessing(case)]
    steps, fitting = [found[0][0]], _fits(case)
    before = reference.forms[-1]
    for done, form in enumerate(other.forms if fitting else (), start=1):
        how.progress(done, len(other.forms) + 2, f"comparing the layers of {form.name}")
        found.append(_form(case, before, form))
        steps.append(found[-1][0])
        before = form
    if fitting:
        found.append(_reading(case))
        steps.append(found[-1][0])
    named = [cause for step, cause in found if step.departs and cause is not None]
    named.sort(key=lambda one: not one.fault)  # what a precision costs excuses no later fault
    why = "" if named else "no stage departs by itself"
    return Bisection(len(pictures), tuple(steps), named[0] if named else None, why)


def _fits(case: _Case) -> bool:
    """Whether the other's graph takes what the reference's takes."""
    return case.pairs[0].reference.shape == case.pairs[0].other.shape


def run(form: Form, fed: Fed) -> Outputs:
    """A form's outputs for one input without its batch axis. Raises InputError."""
    failures: tuple[type[Exception], ...] = (RuntimeError, *ort_refusals())
    try:
        return form.session.run(np.ascontiguousarray(fed[None]))
    except failures as error:
        raise InputError(f"{form.name} does not run: {first_line(error)}") from error


def _preprocessing(case: _Case) -> tuple[Step, Found | None]:
    cause = input_cause(case.pairs, case.reference.input)
    what = "what the graph is fed"
    if cause is None:
        count = _decisions(case.answers(case.reference.forms[-1], lambda p: p.reference), case)
        return Step("pre-processing", what, False, 0, count), None
    found = Found("pre-processing", cause.kind, f"pre-processing departs first: {cause.says}")
    ours = case.answers(case.reference.forms[-1], lambda p: p.reference)
    if not _fits(case):
        count = _decisions(ours, case)
        return Step("pre-processing", what, True, count, count), found
    theirs = [
        case.reference.read(run(case.reference.forms[-1], p.other), p.places[1]) for p in case.pairs
    ]
    return Step("pre-processing", what, True, *_changed(ours, theirs, case)), found


def _decisions(answers: Sequence[Answer], case: _Case) -> int:
    return sum(paired(a, a, case.how.point).decisions for a in answers)


def _changed(ours: Sequence[Answer], theirs: Sequence[Answer], case: _Case) -> tuple[int, int]:
    pairs = [paired(a, b, case.how.point) for a, b in zip(ours, theirs, strict=True)]
    return changed(pairs), sum(pair.decisions for pair in pairs)


def _form(case: _Case, before: Form, form: Form) -> tuple[Step, Found | None]:
    """One form against the one before it."""
    ours, theirs = (case.answers(one, lambda p: p.reference) for one in (before, form))
    counts = _changed(ours, theirs, case)
    order = layers.places(load_graph(_graph_before(case)))
    first, other = trace(before), trace(form)
    renamed = layers.renaming(
        order,
        first.run(case.inputs[0]),
        other.run(case.inputs[0]),
        load_graph(form) if form.is_onnx else None,
    )
    near = layers.nearness(first, other, case.inputs, renamed)
    look = _quantized if form.stage == "quantized" else _floating
    seen = _Looked(case, before, form, order, near, renamed, counts[0], (ours, theirs))
    normal, found = look(seen)
    table = layers.table(order, near, normal)
    return Step(form.stage, form.name, found is not None, *counts, table), found


def _graph_before(case: _Case) -> Form:
    """The float ONNX form that names the layers: the reference's."""
    form = case.reference.forms[-1]
    if not form.is_onnx or form.stage != "onnx":
        raise InputError(f"the reference's {form.name} is no ONNX graph in 32 bits; give one")
    return form


@dataclass(frozen=True)
class _Looked:
    """One form, and what was seen of it."""

    case: _Case
    before: Form
    form: Form
    order: Sequence[Place]
    near: dict[str, float]
    renamed: dict[str, str]
    changed: int
    answers: tuple[list[Answer], list[Answer]]

    def found(
        self, stage: Stage, cause: Cause, place: Place | None, *, fault: bool = True
    ) -> Found:
        """What is named, in one line."""
        where = f" at {place.name} ({place.op})" if place is not None else ""
        stage_is = NAMES[stage]
        inside = f"{stage_is} departs first" if fault else f"{stage_is} is where decisions change"
        if stage != self.form.stage:
            inside += f", inside of {self.form.name}"
        return Found(
            stage,
            cause.kind,
            f"{inside}{where}: {cause.says}",
            fault,
            place.name if place else None,
            place.op if place else None,
        )


def _floating(look: _Looked) -> tuple[dict[str, float], Found | None]:
    limit = FLOAT_DB if look.form.precision == look.before.precision == "f32" else HALF_DB
    ties = look.changed > 0 and limit == FLOAT_DB

    def bad(place: Place, near: float) -> bool:
        return near < limit and (not place.after or ties)

    place = layers.first_departure(look.order, look.near, bad)
    if place is None:
        return {}, _ordinary(look) if limit == HALF_DB else None
    stage: Stage = look.form.stage
    stage = "pre-processing" if place.before else "post-processing" if place.after else stage
    cause = None
    if place.after:
        cause = reading_cause(*look.answers, look.case.how.point)
        if cause is not None and cause.kind != "labels":
            cause = None
    missing = _missing(look, place)
    if missing and all(one.before for one in missing):
        stage = "pre-processing"
    names = [one.name for one in missing]
    if cause is None:
        cause = causes.float_cause(look.before, look.form, place, names)
    return {}, look.found(stage, cause, missing[0] if missing else place)


def _missing(look: _Looked, place: Place) -> list[Place]:
    """The layers that `place` reads from, one after the other, and that the form does not have.

    Only where both are ONNX and of the same names: an engine hides layers of its own accord.
    """
    if look.renamed or not (look.form.is_onnx and look.before.is_onnx):
        return []
    there = {name for node in load_graph(look.form).nodes for name in node.output}
    makers = {one.output: one for one in look.order}
    found: list[Place] = []
    wanted = [place]
    while wanted:
        for name in wanted.pop().inputs:
            maker = makers.get(name)
            if maker is not None and name not in there and maker not in found:
                found.append(maker)
                wanted.append(maker)
    if place.output not in there:
        found.append(place)
    return [one for one in look.order if one in found]


def _quantized(look: _Looked) -> tuple[dict[str, float], Found | None]:
    fp32 = look.before if look.before.is_onnx else _graph_before(look.case)
    normal = look.case.how.normals.like(look.form, fp32)
    usual: dict[str, float] = {}
    if normal is not None:
        usual = layers.nearness(trace(fp32), trace(normal), look.case.inputs, {})

    def bad(place: Place, near: float) -> bool:
        return not place.after and near < usual.get(place.output, INT8_DB + EXCESS_DB) - EXCESS_DB

    place = layers.first_departure(look.order, look.near, bad)
    return usual, _fault(look, normal, place) or _elsewhere(look, fp32) or _ordinary(look)


def _fault(look: _Looked, normal: Form | None, place: Place | None) -> Found | None:
    """What is wrong with the quantized form, if anything is."""
    if not look.changed and place is None:
        return None
    if look.form.is_onnx:
        confused = confused_integers(load_graph(look.form))
        if confused is not None:
            reader, says = confused
            cause = Cause("integers", f"signed and unsigned bytes are confused: {says}")
            return look.found("quantized", cause, place or _named(look, reader.name))
        if normal is not None:
            names = [one.name for one in look.order]
            for name, says in causes.spoilt_weights(normal, look.form, names).items():
                return look.found("quantized", Cause("weights", says), _named(look, name))
    cause_of_steps = _other_steps(normal, look.form) if normal is not None else None
    if cause_of_steps is not None:
        return look.found("quantized", cause_of_steps, place)
    if place is None:
        return None
    wrapped = _wrapped(look, place)
    usual = "its output lies further off than that of the same graph quantized here"
    return look.found("quantized", wrapped or Cause("unknown", usual), place)


def _wrapped(look: _Looked, place: Place) -> Cause | None:
    """Whether what the layer reads is off by one and the same number wherever it is far off: so
    much do bytes differ that are read as signed though they are not."""
    if not look.form.is_onnx or not place.inputs:
        return None
    node = causes.node_of(load_graph(look.form), place)
    ours, theirs = (trace(form).run(look.case.inputs[0]) for form in (look.before, look.form))
    a = ours.get(place.inputs[0])
    b = theirs.get(node.input[0]) if node is not None else None
    if a is None or b is None or a.shape != b.shape:
        return None
    off = (b.astype(np.float64) - a).ravel()
    far = off[np.abs(off) > np.abs(off).max() / 2]
    if not far.any() or far.std() > _ALIKE * abs(far.mean()):
        return None
    return Cause(
        "integers",
        f"{far.size:,} of {off.size:,} numbers that it reads are all off by {far.mean():.3g}: "
        "signed and unsigned bytes are confused",
    )


def _named(look: _Looked, name: str) -> Place | None:
    return next((place for place in look.order if place.name == name), None)


def _other_steps(normal: Form, form: Form) -> Cause | None:
    """Whether the activations' steps are those of other data."""
    ours, theirs = steps_of(normal), steps_of(form)
    both = [name for name in ours if name in theirs and ours[name] > 0 and theirs[name] > 0]
    ratios = np.asarray([theirs[name] / ours[name] for name in both])
    off = (ratios > OFF) | (ratios < 1 / OFF)
    if not both or off.mean() < MANY_OFF:
        return None
    middle = float(np.median(ratios[off]))
    size = f"{middle:.2g} times as wide" if middle > 1 else f"{1 / middle:.2g} times as narrow"
    return Cause(
        "calibration",
        f"{off.sum()} of {len(both)} ranges of activations are not those of these pictures (in "
        f"the middle {size}): it was calibrated on other data",
    )


def _elsewhere(look: _Looked, fp32: Form) -> Found | None:
    if not (look.form.is_onnx and look.changed):
        return None
    said = causes.changed_elsewhere(fp32, look.form, look.order)
    return look.found("post-processing", said[1], said[0]) if said else None


def _ordinary(look: _Looked) -> Found | None:
    """Decisions change, and nothing is wrong: it is what the precision costs."""
    if not look.changed:
        return None
    says = "no layer is further off than this precision makes it"
    return look.found(look.form.stage, Cause("rounding", says), None, fault=False)


def _reading(case: _Case) -> tuple[Step, Found | None]:
    form = case.reference.forms[-1]
    outputs = [(run(form, pair.reference), pair.places[0]) for pair in case.pairs]
    ours, theirs = (_read(side, outputs) for side in (case.reference, case.other))
    counts = _changed(ours, theirs, case)
    cause = reading_cause(ours, theirs, case.how.point)
    what = "what is read from the graph's outputs"
    if cause is None:
        return Step("post-processing", what, False, *counts), None
    found = Found("post-processing", cause.kind, f"post-processing departs first: {cause.says}")
    return Step("post-processing", what, True, *counts), found


def _read(side: Pipeline, outputs: Sequence[tuple[Outputs, Placement]]) -> list[Answer]:
    return [side.read(*one) for one in outputs]
