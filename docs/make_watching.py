"""Make docs/watching.png from the real clip with seeded faults: `python docs/make_watching.py`."""

import itertools
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
from matplotlib import pyplot as plt

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from camera_seeds import FAULTS, Seed, UInt8
from edge_runtime.streams.sources import video
from edge_runtime.watching import camera as watching
from edgefactory.datasets import fetch_clip

SHOWN = (
    ("blurred", "radius 1.5", "sharpness, of the background's"),
    ("covered", "80 %", "correlation with the background"),
    ("moved", "2 %", "fit of the edges, of the usual"),
    ("overexposed", "gain 2.5", "share of white"),
    ("underexposed", "gain 0.25", "brightness, of the background's"),
    ("frozen", "", "change since the last picture"),
)
CLEAN, FAULTY, STEP = 40, 20, 5


def main() -> None:
    """Draw a panel a fault: its signal over time, where it is seeded, where it is believed."""
    frames = itertools.islice(video(fetch_clip()), 0, (2 * CLEAN + FAULTY) * STEP, STEP)
    pictures = [frame.picture for frame in frames]
    figure, panels = plt.subplots(2, 3, figsize=(12, 5.2), sharex=True)
    for panel, (kind, strength, what) in zip(panels.flat, SHOWN, strict=True):
        seed = FAULTS[kind][strength] if strength else None
        signal, believed = _signal(kind, pictures, seed)
        seconds = np.arange(len(signal)) / 2
        panel.axvspan(CLEAN / 2, (CLEAN + FAULTY) / 2, color="#f4d9c6", label="fault seeded")
        panel.plot(seconds, signal, color="#26547c", linewidth=1.6)
        held = np.flatnonzero(believed) / 2
        panel.plot(held, np.full(len(held), 0.02), ".", color="#b3261e", label="believed",
                   transform=panel.get_xaxis_transform(), clip_on=False)  # fmt: skip
        panel.set_title(f"{kind} ({strength})" if strength else kind, fontsize=11)
        panel.set_ylabel(what, fontsize=9)
        panel.spines[["top", "right"]].set_visible(False)
    for panel in panels[1]:
        panel.set_xlabel("seconds of the clip")
    panels[0][0].legend(frameon=False, fontsize=8, loc="center right")
    figure.tight_layout()
    figure.savefig(Path(__file__).with_name("watching.png"), dpi=110)


def _signal(kind: str, pictures: list[UInt8], seed: Seed | None) -> tuple[list[float], list[bool]]:
    draw, known, before = np.random.default_rng(0), watching.Camera(), None
    base = [watching.view_of(picture) for picture in pictures[: watching.LEARN]]
    grey = np.median(np.stack([view.grey for view in base]), axis=0).astype(np.float32)
    usual = {
        "blurred": np.median([watching.sharpness(view) for view in base]),
        "moved": np.median([watching.edges_fit(view.grey, grey) for view in base]),
        "underexposed": grey.mean(),
    }
    signal, believed = [], []
    for number, picture in enumerate(pictures):
        shown = picture
        if CLEAN <= number < CLEAN + FAULTY:
            shown = seed(picture, draw) if seed else pictures[CLEAN]
        view = watching.view_of(shown)
        known = known.step(view)
        found = {
            "blurred": watching.sharpness(view),
            "covered": watching.correlation(view.grey, grey),
            "moved": watching.edges_fit(view.grey, grey),
            "overexposed": float((view.rows >= 250).mean()),
            "underexposed": view.grey.mean(),
            "frozen": 0.0 if before is None else np.abs(view.rows - before.astype(float)).mean(),
        }
        signal.append(float(found[kind] / usual.get(kind, 1.0)))
        believed.append(known.fault == kind)
        before = view.rows
    return signal[1:], believed[1:]


if __name__ == "__main__":
    main()
