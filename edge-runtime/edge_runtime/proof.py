"""Nothing is believed until this box has checked it: the golden self-test, and the choice.

A release carries pictures and what each variant decided about them where it was proven. Here
every candidate decides again, on this hardware; those that agree are timed, the fastest runs.
"""

import contextlib
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from edge_runtime import __version__, engines
from edge_runtime.contract import (
    RECIPE_FILE,
    Engine,
    GoldenResult,
    Provider,
    Release,
    Tolerance,
    Variant,
    decide,
    disagreement,
)
from edge_runtime.engines import Session, UInt8, cuda
from edge_runtime.engines.providers import PACKAGES, providers_here, ways
from edge_runtime.errors import EdgeRuntimeError, InputError, MissingError, RefusedError
from edge_runtime.pictures import decode_png
from edge_runtime.store import Contents

if TYPE_CHECKING:
    from edge_runtime.building import Device

MEASURE_S = 0.1  # time spent on timing one candidate, at most one run longer

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Candidate:
    """A variant, and the provider of ONNX Runtime by which it is run (None: the engine itself)."""

    variant: Variant
    provider: Provider | None = None

    @property
    def name(self) -> str:
        """What people call it."""
        by = f" by {self.provider}" if self.provider is not None else ""
        return self.variant.name + by


@dataclass(frozen=True)
class Proven:
    """What this box has loaded and found to decide as it should."""

    candidate: Candidate
    session: Session
    milliseconds: float


def candidates(
    release: Release, hardware: Sequence[str], engine: Engine | None = None
) -> tuple[list[Candidate], dict[str, str]]:
    """What could run on `hardware` with the engines here, and why other variants cannot."""
    usable: list[Candidate] = []
    refused: dict[str, str] = {}
    for variant in release.variants:
        reason = _unfit(variant, hardware, engine)
        if reason is not None:
            refused[variant.name] = reason
            continue
        found = ways(variant, hardware, _providers(variant))
        usable += [Candidate(variant, provider) for provider in found]
        if not found:
            refused[variant.name] = (
                f"made for {', '.join(variant.hardware)}, for which ONNX Runtime has no provider "
                f"here: pip install {PACKAGES['cuda']} in its place"
            )
    return usable, refused


def _providers(variant: Variant) -> frozenset[Provider]:
    return providers_here() if variant.engine == "onnxruntime" else frozenset()


def _unfit(variant: Variant, hardware: Sequence[str], engine: Engine | None) -> str | None:
    if engine is not None and variant.engine != engine:
        return f"needs engine {variant.engine}; {engine} was asked for"
    if not set(variant.hardware) & set(hardware):
        return f"made for {', '.join(variant.hardware)}; this box is {', '.join(hardware)}"
    if _numbers(variant.minimum_runtime) > _numbers(__version__):
        return f"needs edge-runtime {variant.minimum_runtime}; this is {__version__}"
    return engines.unavailable(variant.engine)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def open_variant(
    variant: Variant, contents: Contents, threads: int, provider: Provider | None = None
) -> Session:
    """Load `variant` from the very bytes whose digests were just verified; `provider` as in
    `Candidate`.

    A variant that comes as a recipe is built here first, once. Raises MissingError, StorageError
    (damaged on disk) or RefusedError (does not build or load, or not in this box's memory).
    """
    with _memory(variant):
        engines.begin_import(variant.engine, provider)
        files = {name: contents.read(ref) for name, ref in variant.files.items()}
        if RECIPE_FILE in files:
            from edge_runtime.building import ENGINE_FILE

            files = {ENGINE_FILE: _built(variant, files, contents)}
            variant = msgspec.structs.replace(variant, main=ENGINE_FILE)
        return engines.load(variant, files, threads, provider)


@contextlib.contextmanager
def _memory(variant: Variant) -> Iterator[None]:
    try:
        yield
    except MemoryError as error:
        raise RefusedError(f"{variant.name} needs more memory than this box gives it") from error


def _built(variant: Variant, files: Mapping[str, bytes], contents: Contents) -> bytes:
    from edge_runtime.building import kept_engine

    try:
        return kept_engine(files, contents.built, _card())
    except (InputError, MissingError) as error:  # another variant may run here
        raise RefusedError(f"{variant.name} cannot be built here: {error}") from error


def _card() -> "Device":
    from edge_runtime.building import Device

    name = cuda.capability()
    if name is None:
        raise MissingError(cuda.unavailable() or "no NVIDIA card is visible; check `nvidia-smi`")
    return Device(name)


def attest(release: Release, variant: Variant, contents: Contents, difference: str = "") -> None:
    """Add the self-test's result to what this box attests of an engine that it has built."""
    if RECIPE_FILE in variant.files:
        from edge_runtime.building import note_golden

        files = {RECIPE_FILE: contents.read(variant.files[RECIPE_FILE])}
        result = GoldenResult(len(release.golden.cases), not difference, difference)
        note_golden(files, contents.built, _card(), result)


def golden_pictures(release: Release, contents: Contents) -> list[UInt8]:
    """The pictures of the self-test, uint8 [h,w,3]. Raises RefusedError when one is not usable."""
    size = (release.input.width, release.input.height)
    try:
        return [
            decode_png(contents.read(case.picture), "a golden picture", size)
            for case in release.golden.cases
        ]
    except InputError as error:
        raise RefusedError(str(error)) from error


def self_test(
    release: Release, variant: Variant, session: Session, pictures: Sequence[UInt8]
) -> None:
    """Let `session` decide about the golden pictures, and compare.

    Raises RefusedError with the first difference, or when there is nothing to compare with.
    """
    if not release.golden.cases:
        raise RefusedError(f"release {release.version} has no golden cases to test with")
    tolerance = release.golden.tolerance
    for number, (case, picture) in enumerate(zip(release.golden.cases, pictures, strict=True)):
        expected = case.expected.get(variant.name)
        if expected is None:
            raise RefusedError(f"golden case {number} does not say what {variant.name} decides")
        threshold = release.operating_point.score_threshold
        with _memory(variant):
            outputs = session.run(picture[None])
        try:
            found = decide(release.task, outputs, 0, _low(threshold, tolerance))
        except EdgeRuntimeError as error:
            raise RefusedError(f"{variant.name} on golden case {number}: {error}") from error
        difference = disagreement(expected, found, threshold, tolerance)
        if difference is not None:
            raise RefusedError(
                f"{variant.name} decides otherwise here than where it was proven: "
                f"golden case {number}: {difference}"
            )


def _low(threshold: float, tolerance: Tolerance) -> float:
    return max(0.0, threshold - tolerance.score)


def measure(session: Session, picture: UInt8) -> float:
    """Milliseconds of the fastest run on `picture` within MEASURE_S: noise only ever adds."""
    batch = picture[None]
    best = float("inf")
    end = time.perf_counter() + MEASURE_S
    while True:
        start = time.perf_counter()
        session.run(batch)
        now = time.perf_counter()
        best = min(best, now - start)
        if now >= end:
            return best * 1000


def prove(
    release: Release, usable: Sequence[Candidate], contents: Contents, threads: int
) -> tuple[list[Proven], Mapping[str, str]]:
    """Load, self-test and time what is `usable`, fastest first; and why others failed."""
    pictures = golden_pictures(release, contents)
    proven: list[Proven] = []
    refused: dict[str, str] = {}
    for candidate in usable:
        variant = candidate.variant
        try:
            session = open_variant(variant, contents, threads, candidate.provider)
            _attested_test(release, variant, session, pictures, contents)
        except RefusedError as error:
            log.warning("variant %s refused: %s", candidate.name, error)
            refused[candidate.name] = str(error)
            continue
        proven.append(Proven(candidate, session, measure(session, pictures[0])))
        log.info("variant %s passed: %.2f ms", candidate.name, proven[-1].milliseconds)
    return sorted(proven, key=lambda p: p.milliseconds), refused


def _attested_test(
    release: Release,
    variant: Variant,
    session: Session,
    pictures: Sequence[UInt8],
    contents: Contents,
) -> None:
    """`self_test`, and what it said is attested where this box has built the engine."""
    try:
        self_test(release, variant, session, pictures)
    except RefusedError as error:
        attest(release, variant, contents, str(error))
        raise
    attest(release, variant, contents)


def self_test_release(
    release: Release, variant: Variant, session: Session, contents: Contents
) -> None:
    """`self_test` with the golden pictures of the release from `contents`."""
    self_test(release, variant, session, golden_pictures(release, contents))
