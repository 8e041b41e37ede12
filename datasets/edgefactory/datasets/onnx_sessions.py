"""How the factory opens ONNX Runtime, and what ONNX Runtime raises."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnxruntime import SessionOptions


def session_options(threads: int, *, exact: bool = True) -> SessionOptions:
    """Options for `threads` threads that do not spin while they wait.

    `exact`: sums of 8-bit products do not overflow on processors without VNNI, whoever made the
    graph; `compress` makes graphs that need it not (see its `saturation`).
    ONNX Runtime refuses that for graphs in which quantized layers share a weight's zero point.
    """
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.x64quantprecision", "1" if exact else "0")
    return options


def ort_refusals() -> tuple[type[Exception], ...]:
    """What ONNX Runtime raises when it cannot load or run a graph; they share no base."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    return (
        state.EPFail,
        state.Fail,
        state.InvalidArgument,
        state.InvalidGraph,
        state.InvalidProtobuf,
        state.NotImplemented,
        state.RuntimeException,
    )


def first_line(error: Exception) -> str:
    """The error's message as one line of at most 200 characters."""
    return " ".join(str(error).split())[:200]
