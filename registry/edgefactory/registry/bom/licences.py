"""Licences in the words of SPDX."""

from collections.abc import Mapping
from types import MappingProxyType

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from edgefactory.registry.bom.document import LicenceChoice, Named

PACKAGES: Mapping[str, str] = MappingProxyType(
    {
        "edgefactory": "Apache-2.0",
        "edgefactory-runtime": "Apache-2.0",
        "lightning": "Apache-2.0",
        "nncf": "Apache-2.0",
        "numpy": "BSD-3-Clause",
        "onnx": "Apache-2.0",
        "onnxruntime": "MIT",
        "openvino": "Apache-2.0",
        "tensorrt-rtx": "NVIDIA TensorRT-RTX, proprietary",
        "torch": "BSD-3-Clause",
    }
)
"""The licences of the packages whose versions training and proof record.

They stand here, and are not read from what is installed, so that a release built on another machine
is the same to the byte. torch is BSD-3-Clause; its wheel names those of what is linked in, too.
"""


def licence_choice(text: str) -> LicenceChoice:
    """`text` as CycloneDX says it: an SPDX id, an SPDX expression, or a name as it stands."""
    try:
        found = canonicalize_license_expression(text)
    except InvalidLicenseExpression:
        return LicenceChoice(Named(name=text))
    if " " in found or found.startswith("LicenseRef-"):
        return LicenceChoice(expression=found)
    return LicenceChoice(Named(id=found))
