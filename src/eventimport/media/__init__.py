"""Media: fetching what an archive links to, checking pictures, moving both into storage."""
