"""The HTTP server below the application: connections, and what they may cost."""
