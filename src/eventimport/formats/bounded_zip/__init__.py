"""Bounded reading of zip files, whatever they hold."""
