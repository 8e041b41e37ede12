"""Say what runs here, since when, and why not something newer."""

import argparse
from datetime import UTC, datetime

from edge_runtime.cli.console import Console
from edge_runtime.cli.options import state_of


def add_options(parser: argparse.ArgumentParser) -> None:
    """`status` has no options of its own."""


def run(options: argparse.Namespace, console: Console) -> None:
    """Print the site, its models and its high-water marks."""
    from edge_runtime.store import load_journal
    from edge_runtime.trust import highwater

    state = state_of(options)
    site = state.site()
    marks = highwater.load(state.trust)
    models = load_journal(state.journal).models
    value = {
        "site": site.site,
        "region": site.region,
        "url": site.url,
        "root_sha256": site.root_sha256,
        "device_key": site.device_key,
        "models": models,
        "metadata": {role: mark.version for role, mark in marks.roles.items()},
        "trusted_time": marks.trusted_time,
    }
    lines = [f"site {site.site}{' in ' + site.region if site.region else ''}, from {site.url}"]
    for name, slots in models.items():
        places = [("active", slots.active), ("previous", slots.previous)]
        places += [("on trial", slots.trial)] if slots.trial is not None else []
        for place, slot in places:
            text = "none"
            if slot is not None:
                text = f"{slot.version} ({slot.chosen}) since {_moment(slot.since)}"
            on_probation = ", on probation" if place == "active" and slots.dwelling else ""
            lines.append(f"{name}: {place} {text}{on_probation}")
        if slots.down:
            lines.append(f"{name}: what is active does not run: {slots.down}")
        if slots.proof:
            lines.append(f"{name}: let in by {slots.proof}")
        if slots.reason:
            lines.append(f"{name}: last update {slots.phase}: {slots.reason}")
        lines += [f"{name}: {v} not used: {reason}" for v, reason in slots.refused.items()]
        lines += [f"{name}: {r[:12]} was left, {reason}" for r, reason in slots.left.items()]
        lines += [
            f"{name}: {r[:12]} is not tried again (`once --retry` does): {barred.reason}"
            for r, barred in slots.barred.items()
        ]
    if not models:
        lines.append("no model yet; `edge-runtime once --model NAME` gets one")
    console.result(value, lines)


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
