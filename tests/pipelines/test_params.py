"""params.yaml: strict sections, and the shipped files fit the settings that they feed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from edgefactory.datasets import IngestSettings, LabelSettings, SnapshotSettings
from edgefactory.datasets.errors import InputError, MissingError
from edgefactory.pipelines.inputs import SourceSettings
from edgefactory.pipelines.params import read_params, settings
from edgefactory.pipelines.settings import BranchSettings, GateSettings
from edgefactory.registry import ReleaseSettings, RolloutSettings, example_policy

ROOT = Path(__file__).parents[2]
SHIPPED = (
    ROOT / "params.yaml",
    ROOT / "pipelines" / "edgefactory" / "pipelines" / "line" / "digits.yaml",
)


class Inner(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    depth: int = 1


class Outer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    inner: Inner = Inner()
    width: int = 2


@dataclass(frozen=True)
class Filled:
    where: Path | None = None
    share: float = 0.5


def _written(folder: Path, text: str) -> Path:
    path = folder / "params.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_parameters_are_accepted_by_the_stages(path: Path) -> None:
    params = read_params(path)
    assert all(params.values()), "DVC wants every section to be there"
    source = settings(params["source"], SourceSettings, "source")
    given = {"source": source.kind, "video": None if source.kind == "digits" else Path("v")}
    kinds = {
        "ingest": IngestSettings,
        "label": LabelSettings,
        "snapshot": SnapshotSettings,
        "release": ReleaseSettings,
        "gate": GateSettings,
        "publish": RolloutSettings,
        "branch": BranchSettings,
    }
    for name, kind in kinds.items():
        found: object = settings(params[name], kind, name, given if name == "ingest" else {})
        assert _as_written(found, params[name]) == params[name]


@pytest.mark.component
@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_parameters_are_accepted_by_training_and_compression(path: Path) -> None:
    from edgefactory.compress import CompressSettings, ProveSettings
    from edgefactory.training import recipe_from

    params = read_params(path)
    found = {
        "train": recipe_from(params["train"], "train"),
        "compress": settings(params["compress"], CompressSettings, "compress"),
        "prove": settings(params["prove"], ProveSettings, "prove"),
    }
    for name, value in found.items():
        assert _as_written(value, params[name]) == params[name]


def _as_written(found: object, section: Mapping[str, object]) -> dict[str, object]:
    """The values of the settings for the keys of the section, as YAML has them."""
    values: dict[str, object] = {}
    for name, written in section.items():
        value = getattr(found, name)
        if isinstance(written, Mapping):
            values[name] = _as_written(value, written)
        else:
            values[name] = msgspec.json.decode(msgspec.json.encode(value, enc_hook=str))
    return values


def test_the_teacher_is_judged_as_it_labelled() -> None:
    from edgefactory.pipelines.commands.prove import wanted

    found = wanted({"label": {"tile": 0.4, "whole": False, "accept": 0.6}, "prove": {"rounds": 2}})
    assert (found.tile, found.stride, found.whole, found.rounds) == (0.4, 0.5, False, 2)
    assert wanted({"label": {"tile": 0.4}, "prove": {"tile": 0.6}}).tile == 0.6


def test_shipped_policies_are_there() -> None:
    assert example_policy("cctv").is_file()
    assert example_policy("digits").is_file()
    assert (ROOT / "policy.yaml").read_bytes() == example_policy("cctv").read_bytes()


def test_an_unknown_section_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown key 'trian'; did you mean 'train'"):
        read_params(_written(tmp_path, "trian:\n  epochs: 1\n"))


def test_an_unknown_nested_key_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"here\.inner: unknown key 'dept'; did you mean 'depth'"):
        settings({"inner": {"dept": 1}}, Outer, "here")


def test_a_value_of_the_wrong_type_names_its_place() -> None:
    with pytest.raises(InputError, match=r"here: Expected `int`.*width"):
        settings({"width": "two"}, Outer, "here")


def test_keys_that_the_line_fills_in_may_not_be_named() -> None:
    assert settings({}, Filled, "here", {"where": Path("x")}).where == Path("x")
    with pytest.raises(InputError, match="unknown key 'where'"):
        settings({"where": "y"}, Filled, "here", {"where": Path("x")})


@pytest.mark.parametrize("text", ["- a\n", "a: [\n", "train: 3\n", "", "\x00"])
def test_what_is_not_sections_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError):
        read_params(_written(tmp_path, text))


def test_no_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingError):
        read_params(tmp_path / "params.yaml")
