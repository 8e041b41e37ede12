"""Engines that this box has built: made once, kept with what the box attests of them.

An engine is used again only while recipe, source, device and TensorRT's version are the same and
its bytes are those that were attested.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edge_runtime import durable
from edge_runtime.building.engine import build, shortfall
from edge_runtime.building.flavours import version
from edge_runtime.contract import (
    RECIPE_FILE,
    GoldenResult,
    TensorrtAttestation,
    TensorrtBuild,
    decode,
    digest,
    encode,
)
from edge_runtime.errors import ContractError, MissingError, RefusedError, StorageError
from edge_runtime.machine import host

SOURCE_FILE = "model.onnx"
ENGINE_FILE = "model.engine"
MAX_ENGINE_BYTES = 2**31
MAX_ATTESTATION_BYTES = 2**20


@dataclass(frozen=True)
class Device:
    """What an engine is built for: `name`, the capability of the card ("sm87"). `elsewhere` says
    that the card is not here, which TensorRT-RTX allows."""

    name: str
    elsewhere: bool = False


@dataclass(frozen=True)
class _Place:
    """Where an engine and what belongs to it lie."""

    folder: Path
    name: str

    @property
    def engine(self) -> Path:
        return self.folder / f"{self.name}.engine"

    @property
    def attestation(self) -> Path:
        return self.folder / f"{self.name}.json"

    @property
    def timings(self) -> Path:
        return self.folder / f"{self.name}.timings"


def kept_engine(files: Mapping[str, bytes], folder: Path, device: Device) -> bytes:
    """The engine of a variant whose `files` are a recipe and its source, built here if need be.

    `folder` keeps it. Raises ContractError for a bad recipe, errors of `build`, and RefusedError
    when the engine is not as INT8 as the recipe asks.
    """
    recipe = decode(files[RECIPE_FILE], TensorrtBuild, RECIPE_FILE)
    place = _place(files, folder, device)
    kept = _kept(place)
    if kept is not None:
        return kept
    durable.make_folder(folder)
    started = time.monotonic()
    made = build(
        recipe,
        files[SOURCE_FILE],
        (device.name,) if device.elsewhere else (),
        _read_or_empty(place.timings),
    )
    problem = shortfall(recipe, made.convolutions)
    if problem is not None:
        raise RefusedError(f"the engine for {device.name} is not INT8: {problem}")
    attestation = TensorrtAttestation(
        schema="tensorrt-attestation/1",
        engine_sha256=digest(made.engine),
        recipe_sha256=digest(files[RECIPE_FILE]),
        source_sha256=recipe.source_sha256,
        device=device.name,
        flavour=recipe.flavour,
        version=version(recipe.flavour),
        system=host(()).system,
        convolutions=max(len(made.convolutions), recipe.convolutions),
        int8_convolutions=[*made.convolutions.values()].count("Int8"),
        float_convolutions=tuple(n for n, kind in made.convolutions.items() if kind != "Int8"),
        build_seconds=round(time.monotonic() - started, 1),
    )
    durable.write(place.engine, made.engine)
    if made.timing_cache:
        durable.write(place.timings, made.timing_cache)
    durable.write(place.attestation, encode(attestation))
    return made.engine


def note_golden(
    files: Mapping[str, bytes], folder: Path, device: Device, result: GoldenResult
) -> TensorrtAttestation:
    """Add what the golden self-test said to the attestation of the engine kept for `files`."""
    place = _place(files, folder, device)
    found = _attested(place)
    if found is None:
        raise MissingError(f"{place.attestation} is not there: build the engine first")
    whole = TensorrtAttestation(
        **{name: getattr(found, name) for name in found.__struct_fields__ if name != "golden"},
        golden=result,
    )
    durable.write(place.attestation, encode(whole))
    return whole


def _place(files: Mapping[str, bytes], folder: Path, device: Device) -> _Place:
    """By all that an engine depends on. Raises ContractError, MissingError."""
    recipe = decode(files[RECIPE_FILE], TensorrtBuild, RECIPE_FILE)
    key = digest(files[RECIPE_FILE])[:16]
    return _Place(folder, f"{key}-{device.name}-{recipe.flavour}-{version(recipe.flavour)}")


def _kept(place: _Place) -> bytes | None:
    attestation = _attested(place)
    if attestation is None:
        return None
    engine = _read_or_empty(place.engine)
    return engine if digest(engine) == attestation.engine_sha256 else None


def _attested(place: _Place) -> TensorrtAttestation | None:
    try:
        data = durable.read(place.attestation, MAX_ATTESTATION_BYTES, "an attestation")
        return decode(data, TensorrtAttestation, str(place.attestation))
    except (MissingError, StorageError, ContractError):
        return None


def _read_or_empty(path: Path) -> bytes:
    try:
        return durable.read(path, MAX_ENGINE_BYTES, "what a build has left")
    except (MissingError, StorageError):
        return b""
