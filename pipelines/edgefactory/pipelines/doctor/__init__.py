"""What is installed, what hardware is here, which engines work, and what is missing."""

from edgefactory.pipelines.doctor.checks import Finding, examine

__all__ = ["Finding", "examine"]
