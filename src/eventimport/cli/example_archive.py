"""Zips a directory in the layout of an Open Event archive."""

import zipfile
from pathlib import Path

from eventimport.errors import EventImportError

FIRST_DATE = (1980, 1, 1, 0, 0, 0)
PACKED_ALREADY = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".mp3", ".mp4", ".ogg", ".webm", ".zip"}


class NotAnArchiveDirectoryError(EventImportError):
    """The directory does not contain a conference."""


def write_archive(directory: Path, target: Path) -> int:
    """Zip the directory's files and return how many.

    `<document>.json` at the top becomes `<document>`, as the format's own server names it; hidden
    files and symbolic links stay out. The same files give the same bytes. Raises
    NotAnArchiveDirectoryError where there is no `event` document.
    """
    entries = {}
    for path in sorted(directory.rglob("*")):
        name = path.relative_to(directory)
        if path.is_symlink() or not path.is_file() or any(p.startswith(".") for p in name.parts):
            continue
        is_document = len(name.parts) == 1 and name.suffix == ".json"
        entries[name.stem if is_document else name.as_posix()] = path
    if "event" not in entries:
        raise NotAnArchiveDirectoryError(f"{directory} does not contain event.json.")
    with zipfile.ZipFile(target, "w") as archive:
        for entry, path in entries.items():
            info = zipfile.ZipInfo(entry, FIRST_DATE)
            info.external_attr = 0o644 << 16
            packed = path.suffix.lower() in PACKED_ALREADY
            info.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
            archive.writestr(info, path.read_bytes())
    return len(entries)
