"""What a release is made of, for auditors and their tools: a CycloneDX 1.6 bill of materials."""

from edgefactory.registry.bom.licences import PACKAGES, licence_choice
from edgefactory.registry.bom.making import Ran, bill_of_materials
from edgefactory.registry.bom.reading import Licensed, licensed

__all__ = ["PACKAGES", "Licensed", "Ran", "bill_of_materials", "licence_choice", "licensed"]
