"""A day of looks at a model and its camera, by a recording's clock: `soak_watching.py SHARE`.

86,400 looks at what the model sees, and a twentieth of those at the camera; SHARE of it. A JSON
object at its end: what was looked at, and the slope of resident memory after the first tenth.
"""

import json
import os
import sys

import msgspec
import numpy as np

from edge_runtime.contract import FileRef
from edge_runtime.hosting import Loaded
from edge_runtime.running import Active
from edge_runtime.store import Slot
from edge_runtime.watching import Watcher
from soak_site import build, load, scene, with_reference
from soak_taken import resident_mb

LOOKS = 86_400
CAMERA_EVERY = 20


def main() -> None:
    """Look, and say what came of it."""
    share = float(sys.argv[1])
    built = with_reference(build(1))
    variant = built.release.variants[0]
    session = load(variant, {"model.onnx": built.blobs[variant.files["model.onnx"].sha256]}, 1)
    slot = Slot(FileRef("0" * 64, 1), "1.0.0", 1, variant.name, "onnxruntime", 0)
    loaded = Loaded(Active("branch-1", slot, built.release, variant), session)
    seconds = 0.0
    watcher = Watcher(lambda: seconds)
    draw = np.random.default_rng(0)
    memory = []
    looks = int(LOOKS * share)
    for number in range(looks):
        seconds += 1.0
        corner = (int(draw.integers(4, 52)), int(draw.integers(4, 36)))
        batch = scene(corner)[None]
        watcher.tap(loaded, batch, session.run(batch))
        if number % CAMERA_EVERY == 0:
            watcher.picture(draw.integers(60, 190, (480, 640, 3)).astype(np.uint8))
        if number % (looks // 100) == 0:
            msgspec.json.encode(watcher.summary())
            memory.append(resident_mb(os.getpid()))
    steady = memory[len(memory) // 10 :]
    days = np.linspace(0.1 * share, share, len(steady))
    slope = float(np.polyfit(days, steady, 1)[0])
    found = {"watched": looks, "watched_slope_mb_per_day": round(slope, 2)}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
