"""Mixed precision within margins: one pass ranks the layers, few validations find the mixture.

`search` looks for the fewest layers in float that keep all margins, `ranked` ranks them,
`Validation` tells what a mixture loses, `PortableForm` and `IrForm` make mixtures.
"""

from edgefactory.compress.mixed.constraints import Drop, Margins, worst
from edgefactory.compress.mixed.forms import IrForm, PortableForm
from edgefactory.compress.mixed.search import Found, Keeping, Validated, search
from edgefactory.compress.mixed.sensitivity import LayerNoise, ranked
from edgefactory.compress.mixed.validation import Validation

__all__ = [
    "Drop",
    "Found",
    "IrForm",
    "Keeping",
    "LayerNoise",
    "Margins",
    "PortableForm",
    "Validated",
    "Validation",
    "ranked",
    "search",
    "worst",
]
