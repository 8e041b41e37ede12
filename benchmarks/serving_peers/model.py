"""The same work for every peer: decode, resize as the release says, run, name the class."""

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # as `edge_runtime` does for itself

import numpy as np
import onnxruntime
import simplejpeg
from PIL import Image

SIDE = 224


class Model:
    """MobileNetV3-small on one thread of ONNX Runtime."""

    def __init__(self, path: str) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        providers = ["CPUExecutionProvider"]
        self._session = onnxruntime.InferenceSession(path, options, providers=providers)

    def decide(self, jpeg: bytes) -> dict[str, object]:
        """The class of a picture and its probability."""
        picture = simplejpeg.decode_jpeg(jpeg, colorspace="RGB")
        resized = Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.BOX)
        (probabilities,) = self._session.run(None, {"image": np.asarray(resized)[None]})
        best = int(probabilities[0].argmax())
        return {"class": best, "score": float(probabilities[0, best])}
