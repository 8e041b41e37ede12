"""The whole way: forms of the network first, other networks where those are not enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from edge_runtime.contract import BenchResult, encode
from edgefactory.compress.bench import peak_of
from edgefactory.compress.choosing import decision, networks
from edgefactory.compress.choosing.document import Attempt, Certified, Compression
from edgefactory.compress.choosing.executable import Executable
from edgefactory.compress.choosing.forms import REFERENCE, Forms, Tried
from edgefactory.compress.choosing.networks import TRAINED, NetworkFile
from edgefactory.compress.choosing.panel import Panel, panel
from edgefactory.compress.choosing.timing import Outcome, Stopwatch
from edgefactory.compress.choosing.wishes import Wishes
from edgefactory.compress.choosing.writing import write_choice
from edgefactory.compress.conversion import calibration, check_lineage
from edgefactory.compress.mixed import Validation
from edgefactory.datasets import Progress, Snapshot, read_snapshot, snapshot_digest
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.files import write_file
from edgefactory.training import load_checkpoint

UInt8 = npt.NDArray[np.uint8]

RESULT: Final = "compression.json"
_LEAST_SHARE: Final = 0.2  # of the multiply-accumulates that pruning may leave
_PRUNINGS: Final = 2  # the second corrects the first, whose latency could not be foreseen


def choose(wishes: Wishes, stopwatch: Stopwatch, progress: Progress) -> Compression:
    """Try, judge, time and choose; fill `wishes.out`.

    `out` gets compression.json, variants/ (as `compress` writes it, with the forms of the chosen
    network that keep the margins), and networks/ with what learned again. Where nothing keeps
    margins and budgets, no variants are written and `Compression.why` says why. What was done is
    not done again in the next call. Raises InputError for an embedding's checkpoint, a snapshot
    that is not its own or has no labelled val or test split, and what the steps raise.
    """
    trained = load_checkpoint(wishes.checkpoint)
    if trained.task not in ("detection", "classification"):
        raise InputError(
            f"{wishes.checkpoint} is for {trained.task}; detectors and classifiers can be judged "
            "by what they decide. Convert it with the stage `edgefactory compress` of a workspace"
        )
    data = read_snapshot(wishes.snapshot)
    check_lineage(trained, snapshot_digest(wishes.snapshot), wishes.snapshot)
    progress(0, 0, "exporting FP32 ONNX")
    start = networks.exported(TRAINED, trained)
    panels = [panel(wishes.snapshot, data, trained, split) for split in ("val", "test")]
    reference = Executable({"model.onnx": start.fp32}, "model.onnx", "onnxruntime", "f32")
    answers = panels[0].ask(reference, f"{TRAINED}/{REFERENCE}", progress)
    work = _Work(
        wishes,
        stopwatch,
        progress,
        panels[0],
        panels[1],
        calibration(wishes.settings.calibration, trained, data, wishes.snapshot),
        Validation(panels[0].items, trained.classes, answers, wishes.margins),
        reference,
    )
    work.try_network(start)
    _learn_again(work, start)
    found = _document(work, data, start, panels[0].figure(answers))
    if found.chosen:
        network = work.networks[found.attempt(found.chosen).network]
        write_choice(found, work.models(), network, wishes, work.pictures, progress)
    write_file(wishes.out / RESULT, encode(found))
    return found


@dataclass
class _Work:
    """A compression under way, and all that was tried."""

    wishes: Wishes
    stopwatch: Stopwatch
    progress: Progress
    val: Panel
    test: Panel
    pictures: Sequence[UInt8]
    validation: Validation
    reference: Executable
    tried: list[Tried] = field(default_factory=list)
    networks: dict[str, NetworkFile] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    @property
    def attempts(self) -> list[Attempt]:
        """All attempts so far."""
        return [one.attempt for one in self.tried]

    def models(self) -> dict[str, Executable]:
        """The files of all attempts that have any, by the attempt's name."""
        return {one.attempt.name: one.model for one in self.tried if one.model is not None}

    @property
    def enough(self) -> bool:
        """Whether something keeps the margins and the budgets."""
        return decision.best(self.attempts, self.wishes.budgets) is not None

    def try_network(self, network: NetworkFile) -> None:
        """Make and judge the forms of a network, then time all that there are.

        What loses too much in float is not quantized, unless that is what it was trained for.
        """
        self.networks[network.name] = network
        forms = Forms(self.wishes, network, self.pictures, self.val, self.validation, self.progress)
        floats = list(forms.floats())
        self.tried += floats
        good = any(one.attempt.kept for one in floats)
        if good or network.checkpoint.ranges:
            self.tried += forms.quantized(mixed=good and "mixed" in self.wishes.methods)
        self._time()

    def _time(self) -> None:
        """Time all in turns: only so can they be compared."""
        models = self.models()
        outcomes = self.stopwatch.measure(list(models.values()), self.progress)
        timed = dict(zip(models, outcomes, strict=True))
        self.tried = [
            Tried(_timed(one.attempt, timed[one.attempt.name]), one.model)
            if one.attempt.name in timed
            else one
            for one in self.tried
        ]

    def certify(self) -> tuple[Certified, ...]:
        """The front and the fastest of each engine on the test split."""
        base = self.test.ask(self.reference, f"{TRAINED}/{REFERENCE}", self.progress)
        names = dict.fromkeys(decision.front(self.attempts))
        best = decision.best(self.attempts, self.wishes.budgets) or decision.best(self.attempts)
        if best is not None:
            names |= {a.name: None for a in self.attempts if a.kept and a.network == best.network}
        models = self.models()
        found = []
        for name in names:
            answers = self.test.ask(models[name], name, self.progress)
            found.append(self.test.certify(name, answers, base, self.wishes.margins.all))
        return tuple(found)


def _timed(attempt: Attempt, outcome: Outcome) -> Attempt:
    if isinstance(outcome, BenchResult):
        return msgspec.structs.replace(attempt, bench=outcome, why="")
    return msgspec.structs.replace(attempt, bench=None, why=str(outcome))


def _learn_again(work: _Work, start: NetworkFile) -> None:
    """Other networks, the gentlest change first, for as long as nothing is enough."""
    wishes, progress = work.wishes, work.progress
    all_int8 = any(a.kept and a.made == "ptq" for a in work.attempts)
    if "qat" in wishes.methods and not (all_int8 or (work.enough and wishes.budgets)):
        _try(work, "qat", lambda: networks.quantization_aware(wishes, start, progress))
    if "relu" in wishes.methods and not work.enough:
        _try(work, "relu", lambda: networks.with_relu(wishes, start, progress))
    if "prune" not in wishes.methods:
        return
    for _ in range(_PRUNINGS):
        share = _share_to_keep(work, start)
        if share is None:
            return
        make = partial(networks.pruned, wishes, start, share, progress)
        if not _try(work, f"prune to {share:.2f}", make):
            return


def _share_to_keep(work: _Work, start: NetworkFile) -> float | None:
    """How much of the network may stay for the budgets to hold; None where none need go."""
    fastest = decision.best(work.attempts)
    if work.enough or fastest is None:
        return None
    share = decision.share_to_keep(fastest, work.wishes.budgets)
    if share is None:
        return None
    left = int(20 * share * fastest.macs / start.macs) / 20
    return left if left >= _LEAST_SHARE else None


def _try(work: _Work, what: str, make: Callable[[], NetworkFile]) -> bool:
    """Whether there is such a network, and a form of it keeps the margins."""
    try:
        network = make()
    except InputError as error:
        work.skipped[what] = " ".join(str(error).split())
        return False
    work.try_network(network)
    return any(a.kept for a in work.attempts if a.network == network.name)


def _document(work: _Work, data: Snapshot, start: NetworkFile, value: float) -> Compression:
    wishes, attempts = work.wishes, work.attempts
    chosen = decision.best(attempts, wishes.budgets)
    return Compression(
        schema="compression/1",
        checkpoint_sha256=start.checkpoint.sha256,
        snapshot_sha256=start.checkpoint.lineage.snapshot_sha256,
        labels=data.test_labels,
        metric=work.val.metric,
        pictures=len(work.val.items),
        reference=f"{TRAINED}/{REFERENCE}",
        reference_value=value,
        margin=wishes.margins.all,
        budgets=wishes.budgets,
        attempts=tuple(attempts),
        front=decision.front(attempts),
        chosen=chosen.name if chosen else "",
        why="" if chosen else decision.why_none(attempts, wishes.budgets),
        certified=work.certify(),
        skipped=work.skipped,
        measured_at=work.stopwatch.where,
        peak_gflops=peak_of([a.bench for a in attempts if a.bench is not None]),
    )
