"""Where files are kept: one port, several backends, one factory."""
