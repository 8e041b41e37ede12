"""Let what is active decide about its golden pictures again, on this box."""

import argparse
from typing import TYPE_CHECKING, Any

from edge_runtime.cli.console import Console
from edge_runtime.cli.options import add_model, add_threads, state_of

if TYPE_CHECKING:
    from edge_runtime.errors import EdgeRuntimeError
    from edge_runtime.running import Active
    from edge_runtime.state import State


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `selftest`."""
    add_model(parser)
    parser.add_argument(
        "--all", action="store_true", help="also the variants that lie here and do not run"
    )
    add_threads(parser)


def run(options: argparse.Namespace, console: Console) -> None:
    """Self-test every active model, or the one named; a line each. A difference ends with exit
    code 4, after all have been tested."""
    from edge_runtime.errors import EdgeRuntimeError
    from edge_runtime.running import active, open_active

    state = state_of(options)
    tests: list[dict[str, Any]] = []
    lines: list[str] = []
    failed: list[EdgeRuntimeError] = []
    for name in _models(state, options.model):
        try:
            subjects = _variants(state, active(state, name), options.all)
        except EdgeRuntimeError as error:
            failed.append(error)
            lines.append(f"{name}: {error}")
            continue
        for found in subjects:
            console.progress(len(tests), 0, f"self-test of {name} ({found.slot.chosen})")
            told = _told(found, runs=found is subjects[0])
            text = f"{name} {found.release.version} ({found.slot.chosen})"
            try:
                open_active(state, found, options.threads)
            except EdgeRuntimeError as error:
                failed.append(error)
                lines.append(f"{text}: {error}")
                continue
            tests.append(told)
            lines.append(f"{text}: {told['cases']} golden cases decided as they should be")
    if failed:
        _refuse(console, lines, failed, len(tests))
    cases = sum(test["cases"] for test in tests)
    console.result({"tests": tests, "cases": cases, "passed": True}, lines)


def _refuse(
    console: Console, lines: list[str], failed: "list[EdgeRuntimeError]", passed: int
) -> None:
    """Raise the first failure, with all of them in its line; a person has a line for each test."""
    if not console.json:
        console.result({}, lines)
    told = "; ".join(str(error) for error in failed)
    raise type(failed[0])(f"{len(failed)} of {len(failed) + passed} self-tests failed: {told}")


def _models(state: "State", wanted: str | None) -> list[str | None]:
    """The model that is wanted, or all that are active (None, which says why, for none)."""
    from edge_runtime.store import load_journal

    if wanted is not None:
        return [wanted]
    models = load_journal(state.journal).models
    return [name for name, slots in sorted(models.items()) if slots.active] or [None]


def _variants(state: "State", found: "Active", everything: bool) -> "list[Active]":
    """What runs, and with `everything` the other variants for this box whose files are here."""
    from dataclasses import replace

    import msgspec

    from edge_runtime.hardware import hardware_classes
    from edge_runtime.proof import candidates

    if not everything:
        return [found]
    usable, _ = candidates(found.release, hardware_classes())
    others = []
    for other in usable:
        variant, slot = other.variant, found.slot
        if (variant.name, other.provider) == (slot.variant, slot.provider):
            continue
        if all(map(state.contents.holds, variant.files.values())):
            as_if = msgspec.structs.replace(
                slot, variant=variant.name, engine=variant.engine, provider=other.provider
            )
            others.append(replace(found, slot=as_if, variant=variant))
    return [found, *others]


def _told(found: "Active", runs: bool) -> dict[str, Any]:
    by = {} if found.slot.provider is None else {"provider": found.slot.provider}
    return {
        "model": found.release.name,
        "release": found.slot.release.sha256,
        "version": found.release.version,
        "variant": found.variant.name,
        "engine": found.variant.engine,
        **by,
        "active": runs,
        "cases": len(found.release.golden.cases),
    }
