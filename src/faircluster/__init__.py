"""Fair clustering with hard guarantees."""

__version__ = "0.1.0"
