"""docs/formats is true: each page names exactly the keys of the structs that define it."""

import re
from pathlib import Path

import msgspec
import pytest
from msgspec.inspect import StructType, type_info

from edge_runtime import contract
from edgefactory import datasets
from edgefactory.compress import comparing, saturation
from edgefactory.compress.choosing import document as choosing
from edgefactory.compress.mixed import constraints
from edgefactory.compress.parity import document as parity
from edgefactory.datasets.outcomes import document as outcomes
from edgefactory.pipelines import specialising
from edgefactory.pipelines.report import schema
from edgefactory.registry import attestations, history, notices, policy, requests
from edgefactory.registry import keys as registry_keys
from edgefactory.registry.gating import approval, replay, verdict
from edgefactory.training.evaluation import document
from edgefactory.training.tuning import costs, space
from edgefactory.training.tuning import document as tuning

FORMATS = Path(__file__).parents[3] / "docs" / "formats"
PAGES = sorted(path.stem for path in FORMATS.glob("*.md") if path.stem != "README")
ROW = re.compile(r"^\| `(\w+)` \|", re.MULTILINE)


def struct(name: str, page: str) -> StructType:
    """The struct `name`, in one of the modules that define formats; the page's own first."""
    own = {
        "tune": (tuning, costs, space),
        "compression": (choosing, constraints, tuning),
        "parity": (parity,),
        "signing": (registry_keys, requests),
        "outcomes": (outcomes,),
        "policy": (policy,),
        "verdict": (verdict,),
        "approval": (approval,),
        "figures": (replay,),
        "notice": (notices,),
        "history": (history,),
        "attestations": (attestations,),
    }
    common = (contract, datasets, schema, document, specialising, comparing, saturation)
    modules = (*own.get(page, ()), *common)
    found = next(getattr(module, name) for module in modules if hasattr(module, name))
    assert issubclass(found, msgspec.Struct)
    info = type_info(found)
    assert isinstance(info, StructType)
    return info


def keys(info: StructType) -> list[str]:
    """The keys of the JSON object, its tag first."""
    tag = [info.tag_field] if info.tag_field is not None else []
    return [*tag, *(field.encode_name for field in info.fields)]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_names_every_key_and_no_other(page: str) -> None:
    sections = (FORMATS / f"{page}.md").read_text(encoding="utf-8").split("\n## ")[1:]
    assert sections
    for section in sections:
        assert ROW.findall(section) == keys(struct(section.partition("\n")[0], page))


@pytest.mark.parametrize("page", PAGES)
def test_defaults_and_literals_are_told(page: str) -> None:
    for section in (FORMATS / f"{page}.md").read_text(encoding="utf-8").split("\n## ")[1:]:
        rows = {name: line for line in section.splitlines() for name in ROW.findall(line)}
        for field in struct(section.partition("\n")[0], page).fields:
            told = rows[field.encode_name]
            assert field.required == ("default:" not in told and "may be left out" not in told)
            if isinstance(field.type, msgspec.inspect.LiteralType):
                assert all(f'`"{value}"`' in told for value in field.type.values)


def test_the_index_names_every_page() -> None:
    index = (FORMATS / "README.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"\]\((\w+)\.md\)", index)) == PAGES


def test_links_between_pages_lead_somewhere() -> None:
    for path in FORMATS.glob("*.md"):
        for page, anchor in re.findall(r"\]\((?:(\w+)\.md)?(?:#(\w+))?\)", path.read_text()):
            target = (FORMATS / f"{page}.md" if page else path).read_text(encoding="utf-8")
            assert not anchor or f"\n## {anchor}\n" in target.lower()
