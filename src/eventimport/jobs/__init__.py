"""What workers do: arq's jobs, and the recovery of those that were lost."""
