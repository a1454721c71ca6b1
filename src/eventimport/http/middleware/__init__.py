"""What every request and response passes through, in the order that `main` gives."""
