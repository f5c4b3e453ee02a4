"""portcheck: a live network port conformance prober."""

__version__ = "0.1.0"
