"""Which pictures a page shows: stored ones alone.

A picture that lies elsewhere would tell that place who looks at the page, may change, and may never
have been allowed to be loaded; one that could not be fetched at import stays away.
"""

from eventimport.resources import Resources


class StoredMedia:
    """Tells the URLs of our storages' objects from all others."""

    def __init__(self, resources: Resources) -> None:
        storages = (resources.storages.get(name) for name in resources.storages.names)
        self.bases = tuple(sorted({storage.public_url("x")[:-1] for storage in storages}))

    def first(self, *urls: str | None) -> str | None:
        """The first URL that is a stored object's."""
        return next((url for url in urls if url and url.startswith(self.bases)), None)
