"""Use cases of imports: what routes and workers share. No HTTP, no queue."""
