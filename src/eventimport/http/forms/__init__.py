"""Bodies and forms, read as they arrive: bounded in bytes, parts, values and time."""
