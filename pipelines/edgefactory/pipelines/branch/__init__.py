"""The branch, played on this machine: a slim environment, a static server, a site that pulls."""

from edgefactory.pipelines.branch.environment import Installed, default_venv, install, probe
from edgefactory.pipelines.branch.play import BranchResult, play

__all__ = ["BranchResult", "Installed", "default_venv", "install", "play", "probe"]
