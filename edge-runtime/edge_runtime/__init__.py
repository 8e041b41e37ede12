"""The edge runtime: pulls signed models, proves them on this box, runs them, reports."""

__version__ = "0.1.0"
