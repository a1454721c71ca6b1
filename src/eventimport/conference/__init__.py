"""The domain: what a conference is made of, and the plan to write it. Knows no format."""
