"""What every change to a checkpoint begins with."""

from __future__ import annotations

from edgefactory.compress.conversion import check_lineage
from edgefactory.datasets import snapshot_digest
from edgefactory.training import Checkpoint, load_checkpoint
from edgefactory.training.changes import Changes
from edgefactory.training.finetuning import Finetuning


def opened(job: Finetuning) -> Checkpoint:
    """The job's checkpoint. Raises InputError where the snapshot is not the one it learned from."""
    checkpoint = load_checkpoint(job.checkpoint)
    check_lineage(checkpoint, snapshot_digest(job.snapshot), job.snapshot)
    return checkpoint


def changes_of(checkpoint: Checkpoint) -> Changes:
    """What a network that is made from the checkpoint's is called: its widths and activations.

    What it has learned about quantization is no longer so.
    """
    before = checkpoint.lineage.changes
    if before is None:
        return Changes(checkpoint.sha256)
    return Changes(checkpoint.sha256, before.macs_share, before.activation)
