"""What can be set: the `compress` and `prove` sections of `params.yaml`."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

Count = Annotated[int, Meta(ge=1)]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Target = Literal["onnx", "openvino", "tensorrt"]
Capability = Annotated[str, Meta(pattern="^sm[0-9]{2,3}$")]


class CompressSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How a checkpoint becomes variants.

    `calibration`: pictures of the train split that activation ranges are taken from.
    `float_layers`: names of ONNX nodes that stay in float. `tensorrt_hardware`: the GPU compute
    capabilities that the engine is built for; those for which it would not compute in INT8 are
    left out, and said to be. `jetson_hardware`: those of devices that build for themselves, by a
    recipe.
    """

    targets: tuple[Target, ...] = ("onnx", "openvino", "tensorrt")
    calibration: Count = 64
    float_layers: tuple[str, ...] = ()
    jetson_hardware: tuple[Capability, ...] = ("sm87",)
    tensorrt_hardware: tuple[Capability, ...] = ("sm75", "sm80", "sm86", "sm89", "sm120")


class ProveSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How variants are measured.

    `threads`: CPU threads of every engine while latency is measured. Latency is taken in `rounds`
    over all subjects, one after the other, so that what else the machine does hits all alike. In a
    round each variant's engine sees `latency_pictures` pictures `repeats` times and its whole way
    from picture to decisions is gone once; the teacher sees `teacher_pictures` pictures once.
    `bootstrap`: resamples of the pictures for an interval. `lowest_score`: decisions below are
    neither judged nor kept in predictions.json. `tile`, `stride` and `whole`: how the teacher looks
    at a picture, as in `TeacherSettings`; it should be as it did when it labelled.
    """

    threads: Count = 1
    rounds: Count = 5
    latency_pictures: Count = 4
    repeats: Count = 5
    teacher_pictures: Count = 1
    bootstrap: Count = 1000
    seed: Annotated[int, Meta(ge=0, le=2**31 - 1)] = 0
    golden_cases: Count = 8
    score_tolerance: Share = 0.05
    iou_tolerance: Share = 0.85
    lowest_score: Annotated[float, Meta(gt=0.0, lt=1.0)] = 0.05
    tile: float = 0.5
    stride: float = 0.5
    whole: bool = True
