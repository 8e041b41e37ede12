"""params.yaml: one section a stage, parsed strictly into the settings that the stage takes."""

import dataclasses
import difflib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import msgspec
import yaml

from edgefactory.datasets.errors import InputError, MissingError, StorageError

MAX_BYTES = 1024 * 1024

SECTIONS = (
    "source",
    "ingest",
    "label",
    "snapshot",
    "train",
    "compress",
    "prove",
    "release",
    "gate",
    "publish",
    "branch",
)

T = TypeVar("T")


def read_params(path: Path) -> dict[str, Mapping[str, object]]:
    """The sections of the params file at `path`; a section that is not there is empty.

    Raises InputError for what is not YAML, or not sections that the line knows.
    """
    found = _read_yaml(path)
    if not isinstance(found, dict):
        raise InputError(f"{path} must hold sections ({', '.join(SECTIONS)})")
    for name, content in found.items():
        refuse_unknown(str(name), SECTIONS, str(path))
        if content is not None and not isinstance(content, dict):
            raise InputError(f"{path}: {name} must be a section of keys, found {content!r}")
    return {name: found.get(name) or {} for name in SECTIONS}


def read_section(path: Path) -> Mapping[str, object]:
    """The keys in the YAML file at `path`, for `settings`; an empty file has none.

    Raises MissingError, and InputError for what is not YAML, or not keys.
    """
    found = _read_yaml(path)
    if found is None:
        return {}
    if not isinstance(found, dict) or not all(isinstance(key, str) for key in found):
        raise InputError(f"{path} must hold keys with their values")
    return found


def settings(
    section: Mapping[str, object],
    kind: type[T],
    where: str,
    given: Mapping[str, object] | None = None,
) -> T:
    """`section` as `kind` (a msgspec Struct or a dataclass), unknown keys refused.

    `where` names the section in errors, as "params.yaml: train". `given` are the keys that the
    line itself fills in; a section may not name them.
    """
    own = given or {}
    _refuse_unknown_keys(section, kind, where, frozenset(own))
    try:
        return msgspec.convert({**section, **own}, kind, dec_hook=_decode_path, strict=True)
    except msgspec.ValidationError as error:
        raise InputError(f"{where}: {error}") from error


def _read_yaml(path: Path) -> object:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise MissingError(f"{path} is not there") from None
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        raise InputError(f"{path} is larger than {MAX_BYTES} bytes")
    try:
        return yaml.safe_load(data)
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        raise InputError(f"{path} is not YAML: {error}") from error


def refuse_unknown(name: str, known: typing.Iterable[str], where: str) -> None:
    """Raise InputError naming the nearest right name unless `name` is one of `known`."""
    names = sorted(known)
    if name in names:
        return
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names)}"
    raise InputError(f"{where}: unknown key {name!r}; {hint}")


def _refuse_unknown_keys(
    section: Mapping[str, object], kind: object, where: str, filled: frozenset[str] = frozenset()
) -> None:
    fields = _fields(kind)
    if fields is None:
        return
    for name, value in section.items():
        refuse_unknown(str(name), fields.keys() - filled, where)
        if isinstance(value, Mapping):
            for inner in _alternatives(fields[str(name)]):
                _refuse_unknown_keys(value, inner, f"{where}.{name}")


def _fields(kind: object) -> dict[str, object] | None:
    if not isinstance(kind, type):
        return None
    if issubclass(kind, msgspec.Struct):
        return {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
    if dataclasses.is_dataclass(kind):
        return dict(typing.get_type_hints(kind))
    return None


def _alternatives(annotation: object) -> tuple[object, ...]:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return typing.get_args(annotation)
    return (annotation,)


def _decode_path(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, str | Path):
        return Path(value).expanduser()
    raise NotImplementedError(f"{kind} cannot be read from {value!r}")
