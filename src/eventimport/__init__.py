"""Imports whole conferences from Open Event archives."""

__version__ = "0.1.0"
