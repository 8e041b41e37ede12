"""Networks that are changed to be faster and learn again: pruned, with ReLU, trained for INT8.

Each takes a `Finetuning` and gives a checkpoint like any other. torch is imported when one of the
functions is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgefactory.compress.finetuning.activations import use_relu
    from edgefactory.compress.finetuning.pruning import prune
    from edgefactory.compress.finetuning.quantization import train_quantized
    from edgefactory.training.finetuning import Finetuning

__all__ = ["Finetuning", "prune", "train_quantized", "use_relu"]

_HOMES = {
    "Finetuning": "edgefactory.training.finetuning",
    "prune": "edgefactory.compress.finetuning.pruning",
    "train_quantized": "edgefactory.compress.finetuning.quantization",
    "use_relu": "edgefactory.compress.finetuning.activations",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
