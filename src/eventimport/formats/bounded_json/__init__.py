"""Bounded reading of JSON: limits on bytes, values, depth, and errors with line and column."""
