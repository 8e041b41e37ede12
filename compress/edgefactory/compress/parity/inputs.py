"""What two pipelines feed their graphs: whether it is the same, and if not, how it came about.

The cause is found by trying: what would make the other's input out of the reference's, or out of
the picture? The best explanation is told if it leaves little of the difference (`_EXPLAINS`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import permutations
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
from PIL import Image

from edge_runtime.contract import InputSpec, Placement, placement, preprocess
from edgefactory.compress.parity.document import Kind
from edgefactory.compress.parity.pipeline import Fed, Pipeline, UInt8
from edgefactory.compress.parity.resampling import ways

Floats = npt.NDArray[np.float64]

SAME_DB: Final = 55.0  # other decoders round otherwise; other pictures are far below
_EXPLAINS: Final = 0.25  # of the difference's deviation that a good explanation leaves at most
_HINTS: Final = 0.55  # what one leaves that no other comes near
_AHEAD: Final = 1.25
_TRIED: Final = 5  # pictures that explanations are tried on
_NONE, _SLIGHT = 1e-6, 1e-3


@dataclass(frozen=True)
class Pair:
    """One picture, and what the two make of it."""

    picture: UInt8
    reference: Fed
    other: Fed
    places: tuple[Placement, Placement]


class Cause(NamedTuple):
    """What is wrong with the other's input, for people."""

    kind: Kind
    says: str


class _Guess(NamedTuple):
    kind: Kind
    says: str
    make: Callable[[Pair], Floats | None]


def input_pairs(reference: Pipeline, other: Pipeline, pictures: Sequence[UInt8]) -> list[Pair]:
    """What both feed their graphs."""
    made = []
    for picture in pictures:
        (ours, place), (theirs, placed) = reference.prepare(picture), other.prepare(picture)
        made.append(Pair(picture, ours, theirs, (place, placed)))
    return made


def input_cause(pairs: Sequence[Pair], spec: InputSpec | None) -> Cause | None:
    """Why the inputs differ; None where they do not. `spec` is what the reference follows."""
    first = pairs[0]
    if first.reference.shape != first.other.shape:
        return _shapes(first)
    if not _alike(pairs):
        few = pairs[:_TRIED]
        guesses = [*_of_layout(first.reference), *_of_resizing(few, spec)]
        return _best(few, guesses) or _levels(few) or _shifted(few) or _unknown(pairs)
    if not all(np.allclose(*pair.places, atol=1e-3) for pair in pairs):
        ours, theirs = (", ".join(f"{v:.3g}" for v in place) for place in first.places)
        return Cause(
            "placement",
            f"boxes are carried back otherwise: scale and offset {theirs}, expected {ours}",
        )
    return None


def _shapes(pair: Pair) -> Cause:
    ours, theirs = list(pair.reference.shape), list(pair.other.shape)
    turned = sorted(ours) == sorted(theirs)
    says = "its axes stand in another order" if turned else "another size"
    return Cause("layout" if turned else "inputs", f"{says}: it is fed {theirs}, expected {ours}")


def _alike(pairs: Sequence[Pair]) -> bool:
    signal = sum(float((p.reference.astype(np.float64) ** 2).sum()) for p in pairs)
    error = sum(float((_difference(p) ** 2).sum()) for p in pairs)
    return error <= signal * 10 ** (-SAME_DB / 10)


def _difference(pair: Pair) -> Floats:
    return np.asarray(pair.other.astype(np.float64) - pair.reference.astype(np.float64))


def _left(pairs: Sequence[Pair], make: Callable[[Pair], Floats | None]) -> float:
    """The share of the difference's deviation that an explanation leaves."""
    rest, whole = 0.0, 0.0
    for pair in pairs:
        made = make(pair)
        if made is None or made.shape != pair.other.shape:
            return np.inf
        rest += float(((pair.other.astype(np.float64) - made) ** 2).sum())
        whole += float((_difference(pair) ** 2).sum())
    return float(np.sqrt(rest / whole)) if whole else np.inf


def _best(pairs: Sequence[Pair], guesses: Sequence[_Guess]) -> Cause | None:
    """The guess that leaves least, if that is little, or little enough and no other comes near."""
    if not guesses:
        return None
    left = [_left(pairs, guess.make) for guess in guesses]
    best = int(np.argmin(left))
    guess = guesses[best]
    rivals = [rest for rest, one in zip(left, guesses, strict=True) if one.kind != guess.kind]
    alone = min(rivals, default=np.inf) > _AHEAD * left[best]
    if left[best] > (_HINTS if alone else _EXPLAINS):
        return None
    return Cause(guess.kind, guess.says)


def _channel_axis(fed: Fed) -> int | None:
    """The axis of three channels in [H,W,3] or [3,H,W]."""
    if fed.ndim != 3:
        return None
    return 2 if fed.shape[2] == 3 else 0 if fed.shape[0] == 3 else None


def _of_layout(fed: Fed) -> Iterator[_Guess]:
    """The reference's own numbers in another order."""
    axis = _channel_axis(fed)
    if axis is None:
        return
    orders = list(permutations(range(3)))[1:]
    for order in orders:
        named = "".join("RGB"[one] for one in order)
        says = f"the colours come as {named}, expected RGB"
        yield _Guess("colours", says, partial(_with_channels, order=order, axis=axis))
    rows = 0 if axis == 2 else 1
    mirrors: list[tuple[tuple[int, ...], str]] = [
        ((rows,), "mirrored upside down"),
        ((rows + 1,), "mirrored left to right"),
        ((rows, rows + 1), "turned by 180 degrees"),
    ]
    for axes, what in mirrors:
        yield _Guess("mirrored", f"the picture is {what}", partial(_flipped, axes=axes))
    for order in orders:
        says = "the bytes lie in another order of the axes"
        yield _Guess("layout", says, partial(_reread, order=order))
        yield _Guess("layout", says, partial(_misread, order=order))


def _with_channels(pair: Pair, *, order: tuple[int, ...], axis: int) -> Floats:
    return np.asarray(pair.reference.take(order, axis), np.float64)


def _flipped(pair: Pair, *, axes: tuple[int, ...]) -> Floats:
    return np.asarray(np.flip(pair.reference, axes), np.float64)


def _reread(pair: Pair, *, order: tuple[int, ...]) -> Floats:
    """Written in another order of the axes, read as if in the right one."""
    fed = pair.reference
    return np.asarray(np.transpose(fed, order).reshape(fed.shape), np.float64)


def _misread(pair: Pair, *, order: tuple[int, ...]) -> Floats:
    """Read as if written in another order of the axes."""
    fed = pair.reference
    shape = [fed.shape[axis] for axis in order]
    return np.asarray(fed.reshape(shape).transpose(np.argsort(order)), np.float64)


def _of_resizing(pairs: Sequence[Pair], spec: InputSpec | None) -> Iterator[_Guess]:
    """Another way from the picture to the input, where the reference follows its specification."""
    if spec is None or not _follows(pairs[0], spec):
        return
    expected = f"expected {spec.resize} by {spec.fit}"
    fits = [spec.fit, "letterbox" if spec.fit == "stretch" else "stretch"]
    for fit in fits:
        wanted = msgspec.structs.replace(spec, fit=fit)
        with_ = f" by {fit}" if fit != spec.fit else ""
        for way in ways(spec.resize.removeprefix("pillow-")):
            yield _Guess(
                "shift" if way.moved else "resize",
                f"resized as {way.name}{with_}, {expected}",
                partial(_resized, spec=wanted, resize=way.resize),
            )


def _follows(pair: Pair, spec: InputSpec) -> bool:
    made, _ = preprocess(pair.picture, spec)
    return made.shape == pair.reference.shape and np.array_equal(made, pair.reference)


def _resized(
    pair: Pair, *, spec: InputSpec, resize: Callable[[UInt8, tuple[int, int]], UInt8]
) -> Floats:
    picture = pair.picture
    height, width = picture.shape[:2]
    place = placement(width, height, spec)
    size = (round(width * place.scale_x), round(height * place.scale_y))
    canvas = np.full((spec.height, spec.width, 3), spec.pad, np.float64)
    left, top = int(place.offset_x), int(place.offset_y)
    canvas[top : top + size[1], left : left + size[0]] = resize(picture, size)
    return canvas


def _levels(pairs: Sequence[Pair]) -> Cause | None:
    """The same numbers, scaled and moved, a channel each (least squares)."""
    axis = _channel_axis(pairs[0].reference)
    if axis is None:
        return None
    gains, moves = [], []
    for channel in range(3):
        ours, theirs = (
            np.concatenate([side(p).take(channel, axis).ravel() for p in pairs]).astype(np.float64)
            for side in (_ours, _theirs)
        )
        spread = float(ours.var())
        gain = float(np.cov(ours, theirs, bias=True)[0, 1] / spread) if spread > _NONE else 1.0
        gains.append(gain)
        moves.append(float(theirs.mean() - gain * ours.mean()))
    shape = [3 if a == axis else 1 for a in range(3)]
    factor, offset = (np.reshape(values, shape) for values in (gains, moves))
    left = _left(pairs, lambda p: np.asarray(p.reference.astype(np.float64) * factor + offset))
    if left > _EXPLAINS:
        return None
    said = _listed(
        [f"{g:.3g} times what is expected {m:+.3g}" for g, m in zip(gains, moves, strict=True)]
    )
    if all(abs(g - 1) < 10 * _SLIGHT for g in gains):
        moved = _listed([f"{m:+.3g}" for m in moves])
        return Cause("mean", f"its numbers are moved by {moved}: another mean")
    return Cause("normalisation", f"its numbers are {said}: another normalisation")


def _listed(channels: Sequence[str]) -> str:
    return channels[0] if len({*channels}) == 1 else f"{', '.join(channels)} in R, G, B"


def _ours(pair: Pair) -> Fed:
    return pair.reference


def _theirs(pair: Pair) -> Fed:
    return pair.other


def _shifted(pairs: Sequence[Pair]) -> Cause | None:
    """A small shift, by the picture's slope (Lucas and Kanade 1981), where that explains much."""
    axis = _channel_axis(pairs[0].reference)
    if axis is None:
        return None
    rows = 0 if axis == 2 else 1
    slopes = [np.gradient(p.reference.astype(np.float64), axis=(rows + 1, rows)) for p in pairs]
    columns = np.stack([np.concatenate([s[k].ravel() for s in slopes]) for k in (0, 1)], axis=1)
    wanted = np.concatenate([_difference(p).ravel() for p in pairs])
    by, *_ = np.linalg.lstsq(columns, wanted, rcond=None)
    left = float(np.linalg.norm(wanted - columns @ by) / np.linalg.norm(wanted))
    if left > _HINTS:
        return None
    return Cause("shift", f"the picture lies about {-by[0]:+.2f}, {-by[1]:+.2f} pixels off")


def _unknown(pairs: Sequence[Pair]) -> Cause:
    off = np.concatenate([np.abs(_difference(p)).ravel() for p in pairs])
    return Cause(
        "inputs",
        f"its numbers differ from what is expected by {off.mean():.3g} in the mean, "
        f"{off.max():.3g} at most",
    )


def shown(fed: Fed) -> npt.NDArray[np.uint8]:
    """An input as a picture uint8 [H,W,3] that one can look at."""
    array: npt.NDArray[Any] = fed if _channel_axis(fed) != 0 else fed.transpose(1, 2, 0)
    if array.dtype != np.uint8:
        low, high = float(array.min()), float(array.max())
        array = np.rint((array - low) * (255 / max(high - low, _NONE))).astype(np.uint8)
    return np.asarray(Image.fromarray(array).convert("RGB"))
