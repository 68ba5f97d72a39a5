"""Faults of Bulkhead's chaos lab as activities of Chaos Toolkit."""

__version__ = "0.1.0"
