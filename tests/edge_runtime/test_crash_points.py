"""Updates that are cut off anywhere: a sample of what the benchmark crash-points tries in full."""

import errno
import random
from pathlib import Path

import pytest

from edge_runtime import durable

from .crashing import Run, Scenario, record, scenarios, survives, survives_errors
from .disks import LOSSES, CountedDisk, Model

pytestmark = pytest.mark.component

NAMES = ("install", "update", "patch", "block", "floor", "back")
SAMPLED = 3  # points of each scenario and loss


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """Each scenario, recorded; that alone proves that no change goes past the counted disk."""
    found = [record(scenario) for scenario in scenarios(tmp_path_factory.mktemp("crashing"))]
    return {run.scenario.name: run for run in found}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", NAMES)
def test_a_site_that_was_cut_off_runs_what_it_ran_and_completes_the_update(
    runs: dict[str, Run], name: str, loss: str
) -> None:
    run = runs[name]
    points = random.Random(f"{name} {loss}").sample(range(len(run.log) + 1), SAMPLED)
    problems = {point: survives(run, point, loss) for point in points}  # type: ignore[arg-type]  # of LOSSES
    assert not any(problems.values()), problems


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS])
@pytest.mark.parametrize("name", ["install", "patch", "block"])
def test_a_disk_that_fails_at_any_step_is_said_and_harms_nothing(
    runs: dict[str, Run], name: str, number: int
) -> None:
    run, rng = runs[name], random.Random(f"{name} {number}")
    points = rng.sample(range(1, len(run.log)), SAMPLED)
    lasting = number != errno.EIO
    problems = {at: survives_errors(run.scenario, at, number, lasting) for at in points}
    assert not any(problems.values()), problems


def test_a_site_that_does_not_sync_is_found_out(
    runs: dict[str, Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proof that the tests above can fail."""
    with monkeypatch.context() as patch:
        patch.setattr(CountedDisk, "fsync", lambda *_: None)
        careless = record(runs["update"].scenario)
    assert any(survives(careless, len(careless.log), loss) for loss in ("lost", "torn", "zeroed"))


def test_a_journal_that_is_written_before_its_contents_is_found_out(runs: dict[str, Run]) -> None:
    run = runs["update"]
    whole = len(run.log)
    early = [op for op in run.log if "blobs" not in str(op)]  # what a swap of two steps comes to
    assert whole > len(early)
    opened = {op[1] for op in early if op[0] == "open"}
    log = tuple(op for op in early if op[0] not in {"write", "fsync"} or op[1] in opened)
    careless = Run(run.scenario, run.start, log)
    assert survives(careless, len(log), "kept").startswith("bricked")


def test_the_model_loses_what_was_not_synced_and_nothing_else(tmp_path: Path) -> None:
    disk = CountedDisk(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(durable, "disk", disk)
        durable.write(tmp_path / "kept", b"synced")
        with durable.gathering(tmp_path / "begun", go_on=False) as put:
            put(b"1234")
    model = Model()
    for operation in disk.log:
        model.apply(*operation)
    left = {loss: model.after(loss).seen for loss in ("lost", "torn", "zeroed", "kept")}
    data = {
        loss: {str(place): getattr(entry, "data", None) for place, entry in seen.items()}
        for loss, seen in left.items()
    }
    assert data["lost"] == {"kept": b"synced"}
    assert data["torn"] == {"kept": b"synced", "begun": b"12"}
    assert data["zeroed"] == {"kept": b"synced", "begun": bytes(4)}
    assert data["kept"] == {"kept": b"synced", "begun": b"1234"}


def test_every_scenario_is_of_this_list(runs: dict[str, Run]) -> None:
    scenarios_there: list[Scenario] = [run.scenario for run in runs.values()]
    assert tuple(scenario.name for scenario in scenarios_there) == NAMES
