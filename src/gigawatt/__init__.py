"""Gigawatt: designs, prices and finances AI factories."""

__version__ = "0.1.0"
