"""Removes from a photo's file what says where, when and by whom it was taken; its pixels stay as they are.

EXIF (except the orientation), XMP and IPTC go. In containers whose parts refer to each other by position (AVIF, HEIF,
TIFF), they are overwritten in place. `content.py` checks beforehand that the file is a whole image.
"""

import re
import struct
import zlib
from collections.abc import Iterator

from PIL import Image

from unde_catalog.stages.photos.decode import PILLOW_ERRORS

_ORIENTATION, _GPS = 0x0112, 0x8825
_PERSONAL_TAGS = frozenset(  # of a TIFF: description, make, model, time, artist, host, XMP, IPTC, Photoshop, copyright
    {0x010E, 0x010F, 0x0110, 0x0132, 0x013B, 0x013C, 0x02BC, 0x83BB, 0x8649, 0x8298, 0x8769, _GPS}
)
_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_SUB_IFDS = frozenset({0x8769, _GPS, 0xA005})  # tags whose value is the position of another directory
_XMP = re.compile(rb"<x:xmpmeta\b.*?</x:xmpmeta>|<rdf:RDF\b.*?</rdf:RDF>", re.DOTALL)
_TIFF_HEADER = re.compile(rb"II\*\0(?=..\0\0)|MM\0\*(?=\0\0..)", re.DOTALL)
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)
_PNG_TEXTS = frozenset({b"eXIf", b"tEXt", b"zTXt", b"iTXt", b"tIME"})


def without_private_metadata(data: bytes) -> bytes:
    """The file without EXIF, XMP and IPTC, `data` itself if it has none.

    Of a JPEG only the first picture: phones put others, or a film, behind it.
    """
    if data.startswith(b"\xff\xd8"):
        return _jpeg(data)
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return _png(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _webp(data)
    if data[4:8] == b"ftyp" or _TIFF_HEADER.match(data):
        return _overwritten(data)
    # GIF and BMP have no EXIF. XMP in a GIF may be overwritten: what follows it leads back from any of its bytes.
    return _XMP.sub(lambda found: b" " * len(found[0]), data)


def _jpeg(data: bytes) -> bytes:
    kept, at, dropped, exif = [data[:2]], 2, False, b""
    while (found := _MARKER.search(data, at)) is not None and found.start() + 4 <= len(data):
        start, marker = found.start(), data[found.start() + 1]
        end = start + 2 + int.from_bytes(data[start + 2 : start + 4], "big")
        body = data[start + 4 : end]
        if marker == 0xDA:
            picture_end = _picture_end(data, end)
            dropped |= picture_end < len(data)  # another picture, or a film: with metadata of their own
            tail = data[start : picture_end if dropped else None]
            return b"".join([kept[0], _exif_segment(exif), *kept[1:], tail]) if dropped else data
        is_exif = marker == 0xE1 and body.startswith(b"Exif\0")
        if is_exif and not exif:
            exif = body[6:]
        if is_exif or marker == 0xED or marker == 0xE1 or (marker == 0xE2 and body.startswith(b"MPF\0")):
            dropped = True
        else:
            kept.append(data[start:end])
        at = end
    return data


def _picture_end(data: bytes, at: int) -> int:
    """The end of the JPEG picture whose scan is at `at`."""
    while (found := _MARKER.search(data, at)) is not None:
        if data[found.start() + 1] == 0xD9:
            return found.end()
        at = found.end()
    return len(data)


def _exif_segment(exif: bytes) -> bytes:
    orientation = _only_orientation(exif)
    body = b"Exif\0\0" + orientation
    return b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body if orientation else b""


def _png(data: bytes) -> bytes:
    kept, exif, dropped, at = [data[:8]], b"", False, 8
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        name = data[at + 4 : at + 8]
        if name == b"eXIf":
            exif = data[at + 8 : end - 4]
        if name in _PNG_TEXTS:
            dropped = True
        else:
            kept.append(data[at:end])
        at = end
    orientation = _only_orientation(exif)
    if orientation:
        chunk = b"eXIf" + orientation
        kept.insert(2, struct.pack(">I", len(orientation)) + chunk + struct.pack(">I", zlib.crc32(chunk)))
    return b"".join(kept) if dropped else data


def _webp(data: bytes) -> bytes:
    kept, exif, dropped, at = [], b"", False, 12
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        end, name = at + 8 + size + size % 2, data[at : at + 4]
        if name == b"EXIF":
            exif = data[at + 8 : at + 8 + size].removeprefix(b"Exif\0\0")
        if name in (b"EXIF", b"XMP "):
            dropped = True
        else:
            kept.append(data[at:end])
        at = end
    if not dropped:
        return data
    orientation = _only_orientation(exif)
    if kept and kept[0].startswith(b"VP8X"):
        flags = kept[0][8] & ~0b1100 | (0b1000 if orientation else 0)
        kept[0] = kept[0][:8] + bytes((flags,)) + kept[0][9:]
    if orientation:
        kept.append(b"EXIF" + struct.pack("<I", len(orientation)) + orientation + bytes(len(orientation) % 2))
    body = b"WEBP" + b"".join(kept)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _only_orientation(exif: bytes) -> bytes:
    """An EXIF block with the orientation of this one; empty if it is upright or unreadable."""
    read = Image.Exif()
    try:
        read.load(exif)
        value = read.get(_ORIENTATION)
    except PILLOW_ERRORS:
        return b""
    if not isinstance(value, int) or not 2 <= value <= 8:
        return b""
    written = Image.Exif()
    written[_ORIENTATION] = value
    return written.tobytes().removeprefix(b"Exif\0\0")


def _overwritten(data: bytes) -> bytes:
    """The file with the values of its EXIF blocks, and its XMP, overwritten in place."""
    changed = bytearray(data)
    for found in _XMP.finditer(data):
        changed[found.start() : found.end()] = b" " * (found.end() - found.start())
    is_tiff = _TIFF_HEADER.match(data) is not None
    for found in [_TIFF_HEADER.match(data)] if is_tiff else list(_TIFF_HEADER.finditer(data)):
        assert found is not None
        for start, end in _private_values(data, found.start(), keep_pixels=is_tiff):
            changed[start:end] = bytes(end - start)
    return bytes(changed) if changed != data else data


def _private_values(data: bytes, base: int, *, keep_pixels: bool) -> Iterator[tuple[int, int]]:
    """Where the values of private tags of the TIFF structure at `base` are; all but the orientation outside a TIFF."""
    order = "<" if data[base : base + 2] == b"II" else ">"
    pending, seen = [(int(struct.unpack_from(f"{order}I", data, base + 4)[0]), False)], set[int]()
    while pending:
        offset, is_private = pending.pop()
        at = base + offset
        if offset in seen or offset < 8 or at + 2 > len(data):
            continue
        seen.add(offset)
        count = int(struct.unpack_from(f"{order}H", data, at)[0])
        if at + 2 + 12 * count > len(data):
            continue
        for entry in range(at + 2, at + 2 + 12 * count, 12):
            tag, kind, values, value = struct.unpack_from(f"{order}HHII", data, entry)
            private = is_private or tag in _PERSONAL_TAGS or (not keep_pixels and tag != _ORIENTATION)
            if not private:
                continue
            if tag in _SUB_IFDS:
                pending.append((value, True))
            size = _TYPE_BYTES.get(kind, 0) * values
            if size > 4 and base + value + size <= len(data):
                yield base + value, base + value + size
            yield entry + 4, entry + 12  # no values, at no position
