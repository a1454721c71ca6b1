"""Open Event: a zip of JSON documents with the media files that they name."""
