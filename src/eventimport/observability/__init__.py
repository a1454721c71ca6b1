"""Logs, traces and metrics, and what keeps secrets and control characters out of them."""
