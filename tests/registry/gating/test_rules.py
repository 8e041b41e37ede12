"""What each kind of rule asks, by a release that passes them all and what is changed about it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.contract import digest
from edgefactory.datasets.errors import InputError, MissingError
from edgefactory.datasets.outcomes import Outcomes
from edgefactory.registry import Finding, Given, ReleaseSettings, build_release, gate
from edgefactory.registry.bom import Licensed
from edgefactory.registry.gating.case import Case, Replayed
from edgefactory.registry.gating.champion import judge_champion
from edgefactory.registry.gating.figures import judge_budget
from edgefactory.registry.gating.gathering import gather
from edgefactory.registry.gating.judging import judge
from edgefactory.registry.gating.paperwork import allows, judge_licences
from edgefactory.registry.policy import (
    RULES,
    Budget,
    Champion,
    Licences,
    Policy,
    read_policy,
)

from .made import Bench, decide, make_bench


def case_of(bench: Bench) -> Case:
    policy, _ = read_policy(bench.policy)
    case, findings = gather(bench.line.release, policy, bench.policy.parent, bench.given)
    assert all(found.passed for found in findings), findings
    return case


@pytest.fixture(scope="module")
def case(bench: Bench) -> Case:
    return case_of(bench)


@pytest.fixture(scope="module")
def policy(bench: Bench) -> Policy:
    return read_policy(bench.policy)[0]


def reasons(policy: Policy, case: Case) -> dict[str, str]:
    """Rule and first reason of all that fails."""
    found: dict[str, str] = {}
    for rule in policy.rules:
        for one in judge(rule, case):
            if not one.passed:
                found.setdefault(one.rule, one.reason)
    return found


def test_the_policy_has_every_kind_and_the_release_passes(bench: Bench, policy: Policy) -> None:
    assert {type(rule) for rule in policy.rules} == set(RULES)
    verdict = gate(bench.line.release, bench.policy, bench.given)
    assert verdict.passed, [found for found in verdict.rules if not found.passed]
    assert verdict.against == digest((bench.champion.release / "release.json").read_bytes())


NOTHING: dict[str, Callable[[Case], Case]] = {
    "found": lambda c: dataclasses.replace(c, evidence=()),
    "champion": lambda c: dataclasses.replace(c, rival=None),
    "licences": lambda c: dataclasses.replace(c, licences=()),
    "fresh": lambda c: dataclasses.replace(c, outcomes=None),
    "people": lambda c: dataclasses.replace(c, approvals=()),
    "events": lambda c: dataclasses.replace(c, replays={}),
}


@pytest.mark.parametrize("rule", NOTHING)
def test_what_is_not_there_fails(case: Case, policy: Policy, rule: str) -> None:
    assert rule in reasons(policy, NOTHING[rule](case))


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_no_rule_passes_on_missing_figures(case: Case, policy: Policy, data: st.DataObject) -> None:
    """Whatever figures are removed: a rule still passes only if all that it looks at is there."""
    gone = data.draw(st.sets(st.integers(0, len(case.evidence) - 1), min_size=1))
    kept = tuple(item for n, item in enumerate(case.evidence) if n not in gone)
    less = dataclasses.replace(case, evidence=kept, rival=None)
    wanted = {
        "found": {"ap50"},
        "small": {"bytes"},
        "calibrated": {"ece"},
        "as fp32": {"ap50_minus_fp32"},
        "box": {"latency_ms", "memory_bytes", "bytes"},
        "parity": {"agreement"},
    }
    failed = reasons(policy, less)
    for rule, metrics in wanted.items():
        needed = [
            item
            for item in case.evidence
            if item.metric in metrics
            and item.subject != "teacher"
            and (rule != "as fp32" or item.precision == "int8")
        ]
        if any(item not in kept for item in needed):
            assert rule in failed


@settings(max_examples=12, deadline=None)
@given(st.sets(st.integers(0, 2)), st.booleans())
def test_no_champion_passes_on_missing_decisions(
    case: Case, gone: set[int], of_champion: bool
) -> None:
    """A variant whose decisions are not there fails; of the champion, all must be gone for that."""
    rule = Champion(name="c", margin=1.0, slices=())
    assert case.outcomes is not None
    assert case.rival is not None
    assert case.rival.outcomes is not None
    changed = _less(case.rival.outcomes if of_champion else case.outcomes, gone)
    if of_champion:
        rival = dataclasses.replace(case.rival, outcomes=changed)
        less = dataclasses.replace(case, rival=rival)
    else:
        less = dataclasses.replace(case, outcomes=changed)
    passed = all(found.passed for found in judge_champion(rule, less))
    assert passed == (len(gone) < 3 if of_champion else not gone)


def _less(outcomes: Outcomes, gone: set[int]) -> Outcomes:
    left = tuple(one for n, one in enumerate(outcomes.subjects) if n not in gone)
    return msgspec.structs.replace(outcomes, subjects=left)


def test_a_worse_release_is_refused_and_a_slice_is_enough(tmp_path: Path) -> None:
    bench = make_bench(tmp_path)
    decide(bench.line, seed=0, missed=0.4)
    build_release(
        ReleaseSettings(version="0.2.0", sequence=2), *bench.line.inputs, bench.line.release
    )
    verdict = gate(bench.line.release, bench.policy, bench.given)
    failed = [found for found in verdict.rules if not found.passed and found.rule == "champion"]
    assert failed
    assert failed[0].found is not None
    assert failed[0].found < -0.1
    assert "against the champion" in failed[0].reason


def _champion(case: Case, **changes: object) -> list[Finding]:
    rule = Champion(name="c", margin=0.1, **changes)  # type: ignore[arg-type]  # of the test's own
    return list(judge_champion(rule, case))


def test_each_slice_is_judged_by_its_own_margin(case: Case) -> None:
    found = _champion(case, slices=("source", "time"), slice_margin=0.0)
    slices = [one for one in found if "," in one.subject]
    assert {one.subject.partition(", ")[2].split()[0] for one in slices} == {"source", "time"}
    assert all(one.passed for one in found if one not in slices)
    assert not any(one.passed for one in slices), "nobody is shown to lose nothing"


def test_slices_that_are_too_small_are_named(case: Case) -> None:
    found = _champion(case, slices=("source",), least=10_000)
    assert [one for one in found if isinstance(one.note, str) and "camera-1" in one.note]
    assert all(one.passed for one in found)


def test_times_that_are_not_known_fail_where_they_are_asked_for(case: Case) -> None:
    assert case.outcomes is not None
    assert case.rival is not None
    assert case.rival.outcomes is not None

    def unknown(outcomes: Outcomes) -> Outcomes:
        shown = tuple(msgspec.structs.replace(p, captured_at=3.0) for p in outcomes.pictures)
        return msgspec.structs.replace(outcomes, pictures=shown, captured=None)

    rival = dataclasses.replace(case.rival, outcomes=unknown(case.rival.outcomes))
    less = dataclasses.replace(case, outcomes=unknown(case.outcomes), rival=rival)
    failed = [found for found in _champion(less) if not found.passed]
    assert failed
    assert all("captured_at" in found.reason for found in failed)


def test_a_champion_proven_on_other_pictures_names_the_command(case: Case, bench: Bench) -> None:
    assert case.outcomes is not None
    less = dataclasses.replace(
        case,
        outcomes=msgspec.structs.replace(case.outcomes, snapshot_sha256=digest(b"another")),
    )
    (found,) = _champion(less)
    assert not found.passed
    assert "snapshot" in found.reason


def test_a_champion_from_before_there_were_outcomes_needs_the_command(tmp_path: Path) -> None:
    bench = make_bench(tmp_path)
    old = bench.champion
    (old.evidence / "outcomes.json").unlink()
    build_release(ReleaseSettings(), *old.inputs, old.release)
    verdict = gate(bench.line.release, bench.policy, bench.given)
    (reason,) = [found.reason for found in verdict.rules if not found.passed]
    assert f"edgefactory outcomes {old.release} SNAPSHOT" in reason
    made = tmp_path / "made.json"
    decide(old, seed=1)
    made.write_bytes((old.evidence / "outcomes.json").read_bytes())
    given = dataclasses.replace(bench.given, outcomes=made)
    assert gate(bench.line.release, bench.policy, given).passed


def test_the_champion_is_not_the_release_itself(bench: Bench) -> None:
    itself = Given(bench.line.release, None, bench.given.approvals, bench.given.now)
    verdict = gate(bench.line.release, bench.policy, itself)
    (reason,) = [f.reason for f in verdict.rules if not f.passed]
    assert "this very release" in reason


def test_of_a_budget_one_variant_may_be_enough(case: Case) -> None:
    slow = tuple(
        msgspec.structs.replace(item, value=9.0)
        if (item.metric, item.subject) == ("latency_ms", "onnx-fp32")
        else item
        for item in case.evidence
    )
    less = dataclasses.replace(case, evidence=slow)
    each = Budget(name="b", hardware="cpu", latency_ms=5)
    assert [f.passed for f in judge_budget(each, less)] == [False, True, True]
    best = Budget(name="b", hardware="cpu", latency_ms=5, of="best")
    assert [f.passed for f in judge_budget(best, less)] == [True]
    nobody = Budget(name="b", hardware="sm86", latency_ms=5, of="best")
    assert [f.passed for f in judge_budget(nobody, less)] == [False]


@pytest.mark.parametrize(
    ("expression", "good"),
    [
        ("MIT", True),
        ("mit", True),
        ("GPL-3.0-only OR MIT", True),
        ("GPL-3.0-only AND MIT", False),
        ("MIT AND Apache-2.0", True),
        ("(MIT)", False),
        ("", False),
    ],
)
def test_licences_are_spdx_expressions(expression: str, good: bool) -> None:
    assert allows(("MIT", "Apache-2.0"), expression) is good


def test_a_licence_that_is_not_allowed_is_named(case: Case) -> None:
    less = dataclasses.replace(
        case, licences=(Licensed("weights", "weights", "AGPL-3.0-only", "a shop"),)
    )
    (found,) = judge_licences(Licences(name="l", allowed=("MIT",)), less)
    assert not found.passed
    assert (found.subject, found.reason) == ("weights", "it stands under AGPL-3.0-only")


def test_licences_are_read_from_the_bill_of_materials_and_none_is_overlooked(case: Case) -> None:
    known = [one.licence for one in case.licences if one.kind != "package"]
    assert known == ["Apache-2.0", "MIT"]
    rule = Licences(name="l", allowed=("MIT",))
    tool = Licensed("a tool", "package", "proprietary", "")
    data, net = Licensed("footage", "data", "MIT", "us"), Licensed("a net", "weights", "MIT", "us")
    nameless = Licensed("teacher", "weights", "", "")  # by its digest alone

    def passed(*licences: Licensed) -> list[bool]:
        found = judge_licences(rule, dataclasses.replace(case, licences=licences))
        return [one.passed for one in found]

    assert passed(data, net, nameless, tool) == [True, True]  # it is the net that is stated
    assert passed(data, nameless) == [True, False]
    assert passed(tool) == [False]
    assert passed(nameless) == [False, False]  # nor does the release state any


def test_old_pictures_and_those_from_the_future_fail(case: Case, policy: Policy) -> None:
    later = dataclasses.replace(case, now=case.now.replace(year=2027))
    assert "days old" in reasons(policy, later)["fresh"]
    earlier = dataclasses.replace(case, now=case.now.replace(year=2020))
    assert "in the future" in reasons(policy, earlier)["fresh"]


def test_an_approval_counts_for_one_release_and_one_key(
    case: Case, policy: Policy, bench: Bench, tmp_path: Path
) -> None:
    other = dataclasses.replace(case, digest=digest(b"another release"))
    assert reasons(policy, other)["people"] == "the approval is of another release"
    text = bench.policy.read_text()
    key = text.split("approver: '")[1][:64]
    path = tmp_path / "policy.yaml"
    path.write_text(text.replace(key, "0" * 64))
    assert "not by the key" in reasons(read_policy(path)[0], case)["people"]
    (tmp_path / "bad.json").write_text('{"payload": 1}')
    bad = Given(None, None, (tmp_path / "bad.json",))
    with pytest.raises(InputError, match="payload"):
        gate(bench.line.release, bench.policy, bad)


def test_a_figure_of_a_replay_must_be_there_and_finite(case: Case, policy: Policy) -> None:
    for figures in ({"counted": 0.95}, {"counted": float("nan"), "alarms": 1.0}):
        less = dataclasses.replace(case, replays={"events": Replayed(figures)})
        assert "events" in reasons(policy, less)


def test_decisions_that_do_not_give_the_stated_figure_are_refused(tmp_path: Path) -> None:
    bench = make_bench(tmp_path)
    book = bench.line.book()
    items = tuple(
        msgspec.structs.replace(item, value=0.999) if item.metric == "ap50" else item
        for item in book.items
    )
    bench.line.change(lambda item: dict(zip(book.items, items, strict=True))[item])
    build_release(ReleaseSettings(sequence=2), *bench.line.inputs, bench.line.release)
    verdict = gate(bench.line.release, bench.policy, bench.given)
    failed = {found.rule: found.reason for found in verdict.rules if not found.passed}
    assert "its decisions give" in failed["bound_to_bytes"]


def test_a_champion_that_is_not_there_is_missing(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(MissingError):
        gate(bench.line.release, bench.policy, Given(tmp_path))
