"""How sequences become pictures, as a file: the settings of `edge_runtime.contract.signals`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from edge_runtime.contract import Signal
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.files import read_bytes
from edgefactory.datasets.manifest import read_header

SIGNAL: Final = "signal.json"
_MAX_BYTES: Final = 2**20


def read_signal(path: Path) -> Signal:
    """The signal of a JSON file, or of the snapshot in a folder.

    Raises `MissingError` when there is neither, `InputError` when it is no signal, or when the
    snapshot is not of sequences.
    """
    if path.is_dir():
        signal = read_header(path).signal
        if signal is None:
            raise InputError(f"{path} is a snapshot of pictures; expected one of sequences")
        return signal
    content = read_bytes(path, _MAX_BYTES, "signal")
    try:
        found: Signal = msgspec.json.decode(content, type=Signal)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} does not say how sequences become pictures: {error}") from error
    return found
