"""How conferences are written down: one package per format, and bounded reading for all."""
