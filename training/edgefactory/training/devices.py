"""What a run computes on: this process's processor or GPU, or several processes that share it."""

from __future__ import annotations

import logging
import os
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final, Literal

import torch
from lightning.fabric import Fabric
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.fabric.strategies.ddp import DDPStrategy

from edgefactory.datasets import Progress
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.workers import cores, spread
from edgefactory.training.recipe import Recipe

_POLL_SECONDS: Final = 0.2  # how often progress is looked for
_LOST: Final = "by peer"  # what gloo says when another process is gone
_HEARD_SECONDS: Final = 30.0

Ranked = Callable[[Fabric, Progress | None], None]
"""What every process of a run does."""


def share_out(recipe: Recipe, work: Ranked, progress: Progress | None) -> None:
    """Do `work` here, or in as many processes of this machine as the recipe's `devices` says.

    Under `torchrun` the processes are there already, and this is one of them. Spawned ones meet
    over a file and talk over the loopback interface alone, so no port is open to others; `work`
    must then be picklable, and progress is that of the first.
    Raises InputError for more GPUs than there are, or more processes than pictures in a batch.
    """
    quiet_lightning()
    if TorchElasticEnvironment.detect():
        work(_launched(fabric_for(recipe, "ddp", int(os.environ["LOCAL_WORLD_SIZE"]))), progress)
        return
    count = _count(recipe)
    if count == 1:
        work(_launched(fabric_for(recipe, "auto", 1)), progress)
        return
    _spawn(recipe, work, count, progress)


def quiet_lightning() -> None:
    """Keep Lightning from saying what was asked of it, which it does at INFO."""
    for name in ("lightning.fabric", "lightning.pytorch"):
        logging.getLogger(name).setLevel(logging.WARNING)


def fabric_for(recipe: Recipe, strategy: Literal["auto", "ddp"], devices: int) -> Fabric:
    """Lightning's Fabric at the recipe's precision, not launched yet."""
    return Fabric(
        accelerator="auto",
        devices=devices,
        strategy=DDPStrategy(cluster_environment=_environment()) if strategy == "ddp" else "auto",
        precision="bf16-mixed" if in_bf16(recipe) else "32-true",
    )


def in_bf16(recipe: Recipe) -> bool:
    """Whether to compute in bf16: where the recipe says so, or hardware does it fast."""
    if recipe.precision != "auto":
        return recipe.precision == "bf16"
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    can = torch.cpu.get_capabilities()
    return bool(can.get("amx_bf16") or can.get("avx512_bf16"))


def _environment() -> LightningEnvironment | TorchElasticEnvironment:
    detected = TorchElasticEnvironment.detect()
    return TorchElasticEnvironment() if detected else LightningEnvironment()


def _launched(fabric: Fabric) -> Fabric:
    fabric.launch()
    return fabric


def _count(recipe: Recipe) -> int:
    gpus = torch.cuda.device_count()
    count = recipe.devices or max(1, gpus)
    if gpus and count > gpus:
        raise InputError(f"devices is {count}, this machine has {gpus} GPUs; lower it, or take 0")
    if count > recipe.batch:
        raise InputError(f"devices is {count}, the batch {recipe.batch}; each needs a picture")
    return count


def _spawn(recipe: Recipe, work: Ranked, count: int, progress: Progress | None) -> None:
    reader, writer = get_context("spawn").Pipe(duplex=False)
    over = threading.Event()
    listener = threading.Thread(target=_listen, args=(reader, over, progress), daemon=True)
    listener.start()
    try:
        with tempfile.TemporaryDirectory(prefix="edgefactory-ranks-") as folder:
            make = partial(_rank, recipe, work, count, Path(folder) / "meeting", writer)
            with closing(spread(make, range(count), count)) as ended:
                for _ in ended:
                    pass
    finally:
        over.set()
        listener.join()
        reader.close()
        writer.close()


def _listen(reader: Connection, over: threading.Event, progress: Progress | None) -> None:
    while not over.is_set():
        while reader.poll(_POLL_SECONDS):
            said = reader.recv()
            if progress:
                progress(*said)


def _rank(
    recipe: Recipe, work: Ranked, count: int, meeting: Path, writer: Connection
) -> Callable[[int], None]:
    """What a spawned process does with its rank."""

    def do(rank: int) -> None:
        loopback = {"GLOO_SOCKET_IFNAME": "lo", "NCCL_SOCKET_IFNAME": "lo"}
        os.environ.update(LOCAL_RANK=str(rank), NODE_RANK="0", **loopback)
        torch.set_num_threads(max(1, cores() // count))
        torch.distributed.init_process_group(
            "nccl" if torch.cuda.is_available() else "gloo",
            init_method=f"file://{meeting}",
            rank=rank,
            world_size=count,
        )
        try:
            fabric = _launched(fabric_for(recipe, "ddp", count))
            work(fabric, (lambda *said: writer.send(said)) if rank == 0 else None)
        except RuntimeError as error:
            if _LOST in str(error):
                # Another one has ended and says why; it is heard, and this one is ended then.
                time.sleep(_HEARD_SECONDS)
            raise
        finally:
            torch.distributed.destroy_process_group()

    return do
