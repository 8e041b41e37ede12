"""Too little memory, said in one line: libraries say it in many ways."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from edgefactory.datasets.errors import InputError
from edgefactory.training.recipe import Recipe


@contextmanager
def memory_errors(recipe: Recipe) -> Iterator[None]:
    """Turn what is raised in the block for want of memory into an InputError."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_memory(error):
            raise
        width, height = recipe.resolution
        raise InputError(
            f"memory does not suffice for a batch of {recipe.batch} pictures of {width}x{height} "
            f"and width {recipe.width}; lower batch, resolution or width"
        ) from error


def is_memory(error: Exception) -> bool:
    """Whether memory ran out: a kind of its own on GPUs, a text on processors."""
    kinds = (MemoryError, torch.OutOfMemoryError)
    return isinstance(error, kinds) or "t allocate memory" in str(error)
