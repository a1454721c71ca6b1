"""The core: bytes and dicts in, a plan out. Knows no HTTP, no SQL, no queue and no storage."""
