"""Zips that no tool writes: made by the standard library, then cut open."""

import io
import struct
import zipfile
from collections.abc import Iterable
from typing import Any, Final

Member = tuple[str | zipfile.ZipInfo, bytes]

EVENT: Final = b'{"id": 1, "name": "Conference", "timezone": "UTC"}'

# Offsets of fields within a local and a central header, and their formats.
_FIELDS: Final = {
    "flag_bits": ("<H", 6, 8),
    "compress_type": ("<H", 8, 10),
    "crc": ("<I", 14, 16),
    "compress_size": ("<I", 18, 20),
    "file_size": ("<I", 22, 24),
    "external_attr": ("<I", None, 38),
    "header_offset": ("<I", None, 42),
}


def zip_bytes(members: Iterable[Member], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of these members, in order; a name may come twice."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in members:
            if isinstance(name, zipfile.ZipInfo):
                archive.writestr(name, data)
            else:
                # The standard library warns of a name that comes twice, and then writes it.
                info = zipfile.ZipInfo(name)
                info.compress_type = method
                archive.NameToInfo.pop(name, None)
                archive.writestr(info, data)
    return buffer.getvalue()


def archive_bytes(*members: Member, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of a good `event` and these members."""
    return zip_bytes([("event", EVENT), *members], method)


def header_offset(data: bytes, name: str) -> int:
    """Where an entry's local header is."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return archive.getinfo(name).header_offset


def directory_offset(data: bytes) -> int:
    """Where the central directory begins."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return archive.start_dir


def central_offset(data: bytes, name: str) -> int:
    """Where an entry's header in the central directory is."""
    position = directory_offset(data)
    while data[position : position + 4] == b"PK\x01\x02":
        lengths = struct.unpack_from("<HHH", data, position + 28)
        if data[position + 46 : position + 46 + lengths[0]] == name.encode():
            return position
        position += 46 + sum(lengths)
    raise KeyError(name)


def patched(data: bytes, name: str, **fields: Any) -> bytes:
    """The zip with fields of an entry's headers overwritten, in both headers where both have it."""
    result = bytearray(data)
    local, central = header_offset(data, name), central_offset(data, name)
    for field, value in fields.items():
        form, in_local, in_central = _FIELDS[field]
        if in_local is not None:
            struct.pack_into(form, result, local + in_local, value)
        struct.pack_into(form, result, central + in_central, value)
    return bytes(result)


def renamed(data: bytes, old: bytes, new: bytes) -> bytes:
    """The zip with a name overwritten by other bytes, as many."""
    if len(old) != len(new) or data.count(old) != 2:
        raise ValueError("a name stands in both headers, and its length stays")
    return data.replace(old, new)


def with_zip64_extra(data: bytes, name: str, *, file_size: int, compress_size: int) -> bytes:
    """The zip, of stored entries without extra fields, with an entry's sizes claimed in a zip64
    extra field of its central header."""
    extra = struct.pack("<HHQQ", 1, 16, file_size, compress_size)
    central = central_offset(data, name)
    result = bytearray(patched(data, name, file_size=0xFFFFFFFF, compress_size=0xFFFFFFFF))
    struct.pack_into("<H", result, central + 30, len(extra))
    end_of_name = central + 46 + len(name)
    result[end_of_name:end_of_name] = extra
    end = result.rindex(b"PK\x05\x06")
    (size,) = struct.unpack_from("<I", result, end + 12)
    struct.pack_into("<I", result, end + 12, size + len(extra))
    return bytes(result)


def with_zip64_end(data: bytes, *, directory_size: int, directory_start: int) -> bytes:
    """The zip with an end record in zip64 that claims this of its directory."""
    end = data.rindex(b"PK\x05\x06")
    record = struct.pack(
        "<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, directory_size, directory_start
    )
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, end, 1)
    return data[:end] + record + locator + data[end:]
