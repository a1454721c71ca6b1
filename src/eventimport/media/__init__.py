"""Media: fetching what an archive links to, checking images, moving both into storage."""
