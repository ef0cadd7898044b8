"""The wire format of protocol buffers, as far as traces need it.

A field is a tag, number x 8 + wire type, and a value: type 0 is a varint (seven bits a byte, the lowest first, the high bit
says that more follow), type 2 a length and that many bytes. Messages nest as type 2; in a file each message follows its own
length. The format is fixed (protobuf.dev, Encoding), so forty lines stand in for a dependency and generated code.
"""

from __future__ import annotations

from collections.abc import Iterable

VARINT, BYTES = 0, 2


def varint(value: int) -> bytes:
    """A whole number of 0 or more in as few bytes as it takes.

    >>> varint(300).hex()
    'ac02'
    """
    if value < 0:
        raise ValueError(f"{value} has no unsigned varint")
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field: int, value: int) -> bytes:
    """A whole number or a bool; also 0, which members of a `oneof` must write."""
    return varint(field << 3 | VARINT) + varint(value)


def chunk(field: int, value: bytes) -> bytes:
    """Bytes, a string in UTF-8, or a message."""
    return varint(field << 3 | BYTES) + varint(len(value)) + value


def packed(field: int, values: Iterable[int]) -> bytes:
    """A repeated whole number; nothing where there is none."""
    inside = b"".join(varint(value) for value in values)
    return chunk(field, inside) if inside else b""


def delimited(message: bytes) -> bytes:
    """A message of a file: its length, then itself."""
    return varint(len(message)) + message
