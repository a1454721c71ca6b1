"""Exports: a stored event → a conference → a file in a format."""
