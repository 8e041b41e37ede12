"""Training against a bare PyTorch loop, step by step in turns.

Ours is `Run.epoch`: it joins, changes and collates each batch, learns from it, averages the weights
and watches the loss. Bare is forward, loss, backward and optimizer step of the same network on
batches that lie in memory, changed and collated already; nothing else. `ratio_to_bare_loop` is the
median over pairs of neighbouring steps of bare time by our time, its interval a bootstrap over the
pairs. The main figure is of the demo's recipe on its CCTV clip; `small_pictures` is the digits
line's, whose steps take a few milliseconds. Ours can be the faster one: its bytes become bf16 at
once, where the bare loop goes through float32, and one pass changes all weights.

`peers` says where our time goes, and names what takes most of it.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import yaml

from measured import Bound, Measured

SAYS = "steps a second of training, against a bare PyTorch loop with all data in memory"

_LINE: Final = Path(__file__).parents[1]
_WARM: Final = 5  # steps at the start that do not count
_BATCHES: Final = 4  # that the bare loop goes through

Floats = npt.NDArray[np.float64]


@dataclass
class Pairs:
    """Seconds of neighbouring steps, and how long ours waited for pictures."""

    ours: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    waited: float = 0.0

    def ratio(self) -> tuple[float, float, float]:
        """The median of bare by ours, and its 95% interval."""
        each = np.asarray(self.bare) / np.asarray(self.ours)
        chance = np.random.default_rng(0)
        drawn = np.median(chance.choice(each, (2000, len(each))), axis=1)
        low, high = np.percentile(drawn, [2.5, 97.5])
        return float(np.median(each)), float(low), float(high)

    def shares(self) -> dict[str, float]:
        """Where our time goes."""
        ours = float(np.sum(self.ours))
        data, learned = self.waited / ours, min(1.0, float(np.sum(self.bare)) / ours)
        return {
            "data": round(data, 3),
            "network, loss and optimizer": round(learned, 3),
            "averaging, clipping, checks": round(max(0.0, 1 - data - learned), 3),
        }


def run(full: bool, /) -> Measured:
    """About a minute of both tasks, or five."""
    steps = 200 if full else 40
    cctv, digits = pairs(*_cctv(), steps), pairs(*_digits(), 5 * steps)
    value, low, high = cctv.ratio()
    small, small_low, small_high = digits.ratio()
    where = cctv.shares()
    return Measured(
        metrics={
            "ratio_to_bare_loop": round(value, 3),
            "ratio_to_bare_loop_low": round(low, 3),
            "ratio_to_bare_loop_high": round(high, 3),
            "small_pictures": round(small, 3),
            "small_pictures_low": round(small_low, 3),
            "small_pictures_high": round(small_high, 3),
            "pictures_a_second": round(16 / float(np.median(cctv.ours)), 1),
        },
        floor={"ratio_to_bare_loop": 1.0, "small_pictures": 1.0},
        bounds={"ratio_to_bare_loop": Bound("at_least", 0.95)},
        peers={
            "bare_pictures_a_second": round(16 / float(np.median(cctv.bare)), 1),
            "where": where,
            "bottleneck": max(where, key=lambda name: where[name]),
            "where_small_pictures": digits.shares(),
            "pairs": len(cctv.ours),
        },
    )


def pairs(recipe: Any, data: Any, steps: int) -> Pairs:
    """So many pairs of steps of the recipe on the data."""
    import torch

    from edgefactory.training.devices import fabric_for
    from edgefactory.training.run import Run, begin
    from edgefactory.training.sampling import batches_an_epoch

    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    fabric = fabric_for(recipe, "auto", 1)
    fabric.launch()
    found = Pairs()
    bare = _bare(recipe, data, fabric)
    with Run(recipe, data, fabric, begin(recipe, data.classes)) as ours:
        count = -(-(steps + _WARM) // batches_an_epoch(len(data.learned), recipe.batch))
        clock = Clock(found, bare)
        for _ in range(count):
            clock.start()
            point = ours.epoch(clock.after_step)
            found.waited += (point.data or 0.0) * point.seconds
    taken = slice(_WARM, None)
    return Pairs(found.ours[taken], found.bare[taken], found.waited)


@dataclass
class Clock:
    """Takes our step's time, then does a bare step and takes its time."""

    found: Pairs
    bare: Callable[[], None]
    at: float = 0.0

    def start(self) -> None:
        """Our next step begins now."""
        self.at = time.perf_counter()

    def after_step(self, done: int, total: int, text: str) -> None:
        """As `Run.epoch` calls it."""
        ended = time.perf_counter()
        self.bare()
        begun = time.perf_counter()
        self.found.ours.append(ended - self.at)
        self.found.bare.append(begun - ended)
        if done % 50 == 0:
            sys.stderr.write(f"{done}/{total} {text}\n")
        self.start()


def _bare(recipe: Any, data: Any, fabric: Any) -> Callable[[], None]:
    """A step of the bare loop."""
    import torch

    from edgefactory.training.feeding import Feeder
    from edgefactory.training.networks import build
    from edgefactory.training.sampling import epoch_batches, epoch_order

    torch.manual_seed(recipe.seed)
    network = build(recipe, len(data.classes)).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), lr=recipe.learning_rate)
    order = epoch_order(np.ones(len(data.learned)), 0, 0)
    with Feeder(data.learned, recipe, threads=2, paint_ignored=False) as feeder:
        parts = list(epoch_batches(order, recipe.batch))[:_BATCHES]
        ready = [feeder.batch(0, part) for part in parts]
    batches: Iterator[Any] = cycle(ready)
    network.train()

    def step() -> None:
        batch = next(batches)
        with fabric.autocast():
            raw = network(batch.pictures.permute(0, 3, 1, 2).float())
        raw = raw.float() if isinstance(raw, torch.Tensor) else type(raw)(*(p.float() for p in raw))
        loss = network.loss(raw, batch.targets)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call] # torch has no hint
        optimizer.step()

    return step


def _cctv() -> tuple[Any, Any]:
    """The demo's recipe, and the annotated frames of its clip as what is learned."""
    from edgefactory.datasets import CLIP_SHA256, fetch_clip, read_snapshot, shipped_truth
    from edgefactory.datasets.formats import ImportSettings, import_video
    from edgefactory.datasets.sampling import SamplingSettings
    from edgefactory.training import recipe_from
    from edgefactory.training.examples import load_examples
    from edgefactory.training.run import Data

    section = yaml.safe_load((_LINE / "params.yaml").read_bytes())["train"]
    recipe = recipe_from({**section, "epochs": 10_000}, "params.yaml: train")
    with tempfile.TemporaryDirectory(prefix="train-throughput-") as folder:
        raw = Path(folder) / "raw"
        truth = shipped_truth(CLIP_SHA256)
        sampling = SamplingSettings(step=50)
        import_video(fetch_clip(), raw, ImportSettings(), sampling, None, truth)
        snapshot = read_snapshot(raw)
        learned = load_examples(raw, snapshot, "test", recipe)
    assert learned is not None
    return recipe, Data(snapshot.classes, learned, None)


def _digits() -> tuple[Any, Any]:
    """The digits line's recipe on scikit-learn's digits."""
    import torch
    from PIL import Image
    from sklearn.datasets import load_digits

    from edgefactory.training import recipe_from
    from edgefactory.training.examples import Examples
    from edgefactory.training.run import Data
    from edgefactory.training.targets import ClassTargets

    line = _LINE / "pipelines/edgefactory/pipelines/line/digits.yaml"
    section = yaml.safe_load(line.read_bytes())["train"]
    recipe = recipe_from({**section, "epochs": 10_000}, "digits.yaml: train")
    pixels, classes = load_digits(return_X_y=True)
    side = recipe.resolution
    grey = (pixels.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    pictures = np.stack([np.asarray(Image.fromarray(g).resize(side).convert("RGB")) for g in grey])
    targets = ClassTargets(torch.from_numpy(classes.astype(np.int64)), torch.ones(len(classes)))
    return recipe, Data(tuple("0123456789"), Examples(pictures, targets), None)
