"""What this box is, in the words of `Variant.hardware`."""

from edge_runtime.engines import cuda


def hardware_classes() -> tuple[str, ...]:
    """`cpu`, and the capability of the card if there is one."""
    card = cuda.capability()
    return ("cpu", card) if card else ("cpu",)
