"""Whether two models decide the same, shown or not, and where they part if they do not.

`parity` compares two models on a snapshot's pictures and tests for equivalence; `bisect` goes along
a pipeline and names the first stage, and there the first layer, that departs.
"""

from edgefactory.compress.parity.bisecting import Looking, bisect
from edgefactory.compress.parity.chains import fed_from, other_pipeline, reference_pipeline
from edgefactory.compress.parity.document import Bisection, Found, Parity
from edgefactory.compress.parity.judging import ParitySettings, parity
from edgefactory.compress.parity.pipeline import Form, Pipeline, contract_pipeline
from edgefactory.compress.parity.quantization import Normals

__all__ = [
    "Bisection",
    "Form",
    "Found",
    "Looking",
    "Normals",
    "Parity",
    "ParitySettings",
    "Pipeline",
    "bisect",
    "contract_pipeline",
    "fed_from",
    "other_pipeline",
    "parity",
    "reference_pipeline",
]
