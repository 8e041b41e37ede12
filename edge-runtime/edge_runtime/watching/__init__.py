"""Knows when what a model sees or says has changed, and whether camera or model is to be mended."""

from edge_runtime.watching.watcher import Watcher

__all__ = ["Watcher"]
