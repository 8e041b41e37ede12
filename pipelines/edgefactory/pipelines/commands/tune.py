"""Name a budget, get the best model that fits it, in a time that is promised.

Candidates are measured on the real engine before they are trained; what is over a budget is never
trained. A budget is QUANTITY<=LIMIT, with @ENGINE or @ENGINE:PRECISION where it depends on them:

  latency_ms<=4@openvino  latency_ms<=1.5@onnxruntime:int8  bytes<=1MB  macs<=100M  parameters<=80k

The same command goes on where it was interrupted, and with more --time it goes on searching. The
table goes to stdout; --out gets tune.html, tune.json, checkpoint/ and the files as they ship.
"""

import re
import time
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.recipes import chosen_recipe, recipe_options
from edgefactory.pipelines.screen import Screen

if TYPE_CHECKING:
    from pathlib import Path

    from edgefactory.compress.bench import Bench
    from edgefactory.datasets import Snapshot
    from edgefactory.training.tuning import Executor, Space, Tune

HELP = "name a budget, get the best model that fits it"
STAGE: str | None = None

UNITS = (3600, 60, 1)
MOST_SECONDS = 30 * 24 * 3600.0
MEASURE_SECONDS = 2.0  # that a candidate's latency is measured, at most
AGAIN_SECONDS = 6.0  # that the winner's is measured again


def options(parser: ArgumentParser) -> None:
    """The snapshot, the budgets, the time, and where the search begins."""
    parser.add_argument("snapshot", metavar="SNAP", help="the folder of the snapshot")
    parser.add_argument(
        "--budget", action="append", default=[], metavar="Q<=L[@E]", help="once or several times"
    )
    parser.add_argument("--maximize", metavar="FIGURE", help="on val (default: the task's own)")
    parser.add_argument(
        "--time", metavar="20m", required=True, help="for all of it, as 90s, 20m or 1h30m"
    )
    parser.add_argument("--out", metavar="DIR", required=True, help="the folder of the search")
    recipe_options(parser)
    parser.add_argument("--space", metavar="FILE", help="YAML: key: [low, high] or choices")
    parser.add_argument(
        "--trials", metavar="N", type=int, default=10_000, help="candidates at most"
    )
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="of the search (0)")
    parser.add_argument(
        "--device", metavar="URL", help="where `edge-runtime bench --listen` runs; not here"
    )
    parser.add_argument("--token-file", metavar="FILE", help="the device's token")
    parser.add_argument(
        "--executor", choices=("local", "ray"), default="local", help="who trains (local)"
    )
    parser.add_argument(
        "--workers", metavar="N", type=int, default=1, help="that train at the same time (1)"
    )
    parser.add_argument("--address", metavar="ADDRESS", help="of a Ray cluster (default: own)")


def run(args: Namespace, screen: Screen) -> Outcome:
    """A snapshot and budgets -> the best model that keeps them."""
    began = time.monotonic()
    from pathlib import Path

    import msgspec

    from edgefactory.datasets import read_snapshot
    from edgefactory.training.tuning import parse_budgets

    budgets, seconds = parse_budgets(args.budget), parse_time(args.time)
    folder, out = Path(args.snapshot), Path(args.out)
    snapshot = read_snapshot(folder)
    space, execute = _space(args, snapshot), _executor(args)
    bench, again = _benches(args)
    screen.progress(0, 0, "starting up")
    from edgefactory.compress.bench import CachedBench
    from edgefactory.compress.pricing import Meter
    from edgefactory.pipelines.tuned import closing_seconds, document
    from edgefactory.pipelines.tunepage import print_search, write_search
    from edgefactory.training.tuning import Tuning, tune

    asked = Tuning(
        snapshot=folder,
        out=out,
        budgets=budgets,
        metric=args.maximize,
        space=space,
        seconds=seconds,
        closing=closing_seconds(snapshot, budgets, seconds, AGAIN_SECONDS),
        measure=Meter(budgets, CachedBench(bench), snapshot.classes, snapshot.signal),
        measured_at=bench.where,
        seed=args.seed,
        trials=args.trials,
        epochs_fixed="epochs" in _fixed(args),
        execute=execute,
        began=began,
    )
    found = document(asked, tune(asked, screen.progress), snapshot, again, screen.progress)
    page = write_search(found, out)
    screen.clear()
    if not args.json:
        print_search(found)
    return Outcome(_line(found, page), msgspec.to_builtins(found))


def parse_time(text: str) -> float:
    """Seconds of a time as 90s, 20m, 1h30m. Raises InputError for anything else."""
    from edgefactory.datasets.errors import InputError

    parts = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", text.strip())
    seconds = 0.0
    if parts is not None:
        seconds = sum(
            int(part or 0) * unit for part, unit in zip(parts.groups(), UNITS, strict=True)
        )
    if not 0 < seconds <= MOST_SECONDS:
        raise InputError(f"--time {text!r}; expected up to 30 days, as 90s, 20m or 1h30m")
    return float(seconds)


def _space(args: Namespace, snapshot: "Snapshot") -> "Space":
    """Where the search begins, and what it may change: derived, then as `--space` has it.

    What `--set` names is fixed.
    """
    from pathlib import Path

    from edgefactory.training.recipe import read_mapping
    from edgefactory.training.tuning import Space, derived_space, facts_of, with_wishes

    start = chosen_recipe(args, snapshot)
    fixed = _fixed(args)
    dimensions = derived_space(start, facts_of(snapshot))
    if args.space:
        wishes = read_mapping(Path(args.space))
        dimensions = with_wishes(dimensions, wishes, start, args.space)
    return Space(start, {key: one for key, one in dimensions.items() if key not in fixed})


def _fixed(args: Namespace) -> set[str]:
    """The keys that `--set` names."""
    return {pair.partition("=")[0] for pair in args.set}


def _executor(args: Namespace) -> "Executor":
    from edgefactory.datasets.errors import InputError
    from edgefactory.training.tuning import local, on_ray, processes

    if args.workers < 1 or args.trials < 1 or args.seed < 0:
        raise InputError("--workers and --trials must be at least 1, --seed not below 0")
    if args.executor == "ray":
        return on_ray(args.workers, args.address)
    if args.address:
        raise InputError("--address is for --executor ray; leave it out")
    return local if args.workers == 1 else processes(args.workers)


def _benches(args: Namespace) -> "tuple[Bench, Bench]":
    """What measures candidates, and what measures the winner again, for longer."""
    from pathlib import Path

    from edge_runtime.access import read_token
    from edgefactory.compress.bench import DeviceBench, LocalBench
    from edgefactory.datasets.errors import InputError

    if (args.device is None) != (args.token_file is None):
        raise InputError("--device and --token-file belong together; give both")
    if args.device is None:
        return LocalBench(MEASURE_SECONDS), LocalBench(AGAIN_SECONDS)
    token = read_token(Path(args.token_file))
    bench = DeviceBench(args.device, token, MEASURE_SECONDS)
    bench.host()  # a box that refuses the token would refuse one architecture after the other
    return bench, DeviceBench(args.device, token, AGAIN_SECONDS)


def _line(found: "Tune", page: "Path") -> str:
    from edgefactory.pipelines.screen import duration
    from edgefactory.pipelines.tunepage import claim

    return f"{claim(found)} in {duration(found.used_seconds)}; {page}"
