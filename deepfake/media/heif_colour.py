"""Find out in which colours the primary picture of a HEIC, HEIF or AVIF file is stored.

Source: ISO/IEC 23008-12, 9.3 (properties and their association); ISO/IEC 14496-12, 12.1.5 (colr).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from deepfake.media.boxes import iter_boxes

__all__ = ["primary_colours"]

_MAX_META_BYTES = 16 << 20
_MAX_ENTRIES = 100_000


def primary_colours(path: Path) -> tuple[int, int] | None:
    """Return the numbers of primaries and transfer (ITU-T H.273) that the primary picture declares.

    The picture of another item, such as that which a gain map makes, may declare others.

    Args:
        path: A HEIC, HEIF or AVIF file.

    Returns:
        The two numbers; None where there are none, or the file is damaged.
    """
    with path.open("rb") as stream:
        meta = next((place for name, *place in iter_boxes(stream) if name == b"meta"), None)
        if meta is None or meta[1] > _MAX_META_BYTES:
            return None
        stream.seek(meta[0])
        data = stream.read(meta[1])
    try:
        return _find_colours(data[12:])
    except (struct.error, IndexError):
        return None


def _find_colours(meta: bytes) -> tuple[int, int] | None:
    boxes = dict(_inner(meta))
    if b"pitm" not in boxes or b"iprp" not in boxes:
        return None
    properties = dict(_inner(boxes[b"iprp"]))
    item = _primary_item(boxes[b"pitm"])
    all_properties = list(_inner(properties.get(b"ipco", b"")))
    for number in _properties_of(item, properties.get(b"ipma", b"")):
        if 1 <= number <= len(all_properties):
            name, content = all_properties[number - 1]
            if name == b"colr" and content[:4] == b"nclx":
                primaries, transfer = struct.unpack_from(">HH", content, 4)
                return primaries, transfer
    return None


def _inner(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield name and content of the boxes in a box."""
    at = 0
    while at + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        if size < 8:
            return
        yield name, data[at + 8 : at + size]
        at += size


def _primary_item(pitm: bytes) -> int:
    layout = ">I" if pitm[0] else ">H"
    return int(struct.unpack_from(layout, pitm, 4)[0])


def _properties_of(item: int, ipma: bytes) -> list[int]:
    """Return the numbers, from 1, of the properties of an item."""
    version, flags = ipma[0], ipma[3]
    (count,) = struct.unpack_from(">I", ipma, 4)
    at = 8
    id_layout = ">HB" if version < 1 else ">IB"
    for _ in range(min(count, _MAX_ENTRIES)):
        number, associations = struct.unpack_from(id_layout, ipma, at)
        at += struct.calcsize(id_layout)
        # The highest bit says whether a property must be understood.
        layout, mask = (f">{associations}H", 0x7FFF) if flags & 1 else (f">{associations}B", 0x7F)
        found = struct.unpack_from(layout, ipma, at)
        at += struct.calcsize(layout)
        if number == item:
            return [value & mask for value in found]
    return []
