"""How much each layer's quantization alone moves what the network says: the ranking of a search.

A layer's noise is the energy of the change in the last layers' results over the energy of the
results, one over the signal-to-quantization-noise ratio: 1/SQNR. The noises of layers add up to
about that of all of them together (Lin, Talathi and Annapureddy, "Fixed Point Quantization of Deep
Convolutional Networks", ICML 2016, section 3.2), so the sum over the layers that stay INT8 says how
noisy a mixture is without running it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Struct

from edgefactory.compress.admission import admit, admit_pictures
from edgefactory.compress.mixed.memory import alone
from edgefactory.compress.mixed.switched import Floats, Switched, UInt8, switched
from edgefactory.compress.portable import quantize_portable
from edgefactory.datasets import Progress

FP32, PICTURES, _RANKING = "fp32.onnx", "pictures.npy", "ranking.json"
SCALED = 16  # pictures that give the scales at which layers are compared
ENOUGH = 4  # pictures; their ranking agrees with that of 16 to 0.98 and more (Spearman)


class LayerNoise(Struct, frozen=True, forbid_unknown_fields=True):
    """A layer by its node's name, and the noise of its quantization alone, 1/SQNR, from 0 on."""

    layer: str
    noise: float


def sensitivity(
    model: Switched, pictures: Sequence[UInt8], progress: Progress
) -> tuple[LayerNoise, ...]:
    """The layers of a switched model, the noisiest first.

    Up to `ENOUGH` of `pictures`, uint8 [H,W,3] and evenly spread, are run once in float and once
    for each layer; nothing but the last layers' results is held.
    """
    count = min(ENOUGH, len(pictures))
    total: npt.NDArray[np.float64] = np.zeros(len(model.layers))
    for number in range(count):
        picture = pictures[number * len(pictures) // count]
        plain = model.run(picture, ())
        for place, layer in enumerate(model.layers):
            progress(number * len(total) + place, count * len(total), f"ranking {layer}")
            total[place] += _noise(model.run(picture, (layer,)), plain)
    noises = [
        LayerNoise(*entry) for entry in zip(model.layers, (total / count).tolist(), strict=True)
    ]
    return tuple(sorted(noises, key=lambda entry: (-entry.noise, entry.layer)))


def ranked(
    fp32: bytes, pictures: Sequence[UInt8], progress: Progress, cap: int | None = None
) -> tuple[LayerNoise, ...]:
    """The layers of an FP32 ONNX model, the noisiest first; at scales that few pictures give.

    `cap`: MiB that a process of its own may hold for it, without progress; None does it in this
    one. Raises InputError for a model that cannot be quantized, pictures that it does not take, or
    too small a cap.
    """
    admit_pictures(pictures, admit(fp32, "the FP32 model"))
    few = pictures[:: max(1, len(pictures) // SCALED)]
    if cap is None:
        return sensitivity(switched(fp32, quantize_portable(fp32, few)), few, progress)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lay_out(folder, fp32, few)
        alone(_ranking, folder, cap, "ranking the layers")
        return msgspec.json.decode((folder / _RANKING).read_bytes(), type=tuple[LayerNoise, ...])


def _ranking(folder: Path) -> None:
    pictures = list(np.load(folder / PICTURES, mmap_mode="r", allow_pickle=False))
    found = ranked((folder / FP32).read_bytes(), pictures, lambda *_: None)
    (folder / _RANKING).write_bytes(msgspec.json.encode(found))


def lay_out(folder: Path, fp32: bytes, pictures: Sequence[UInt8]) -> None:
    """Write what a process of its own reads: the model, and the pictures of one size."""
    (folder / FP32).write_bytes(fp32)
    np.save(folder / PICTURES, np.stack(pictures), allow_pickle=False)


def _noise(found: Sequence[Floats], plain: Sequence[Floats]) -> float:
    """The change's energy over the results', averaged over the last layers."""
    shares = [
        float(
            np.square(a.astype(np.float64) - b).sum()
            / max(np.square(b.astype(np.float64)).sum(), 1e-30)
        )
        for a, b in zip(found, plain, strict=True)
    ]
    return float(np.mean(shares))
