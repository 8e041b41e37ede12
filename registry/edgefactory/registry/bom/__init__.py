"""What a release is made of, for auditors and their tools: a CycloneDX 1.6 bill of materials."""

from edgefactory.registry.bom.licences import PACKAGES, licence_choice
from edgefactory.registry.bom.making import Ran, bill_of_materials

__all__ = ["PACKAGES", "Ran", "bill_of_materials", "licence_choice"]
