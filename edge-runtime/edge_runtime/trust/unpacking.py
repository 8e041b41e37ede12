"""A document that a server has packed by gzip, unpacked block by block.

A block takes no more memory than CHUNK_BYTES, whatever it unpacks to, so that whoever reads can
stop at the length that was expected.
"""

import zlib
from collections.abc import Iterator

from edge_runtime.errors import MissingError, TrustError

CHUNK_BYTES = 64 * 1024
_GZIP = 16 + zlib.MAX_WBITS  # with a gzip head and no other, see zlib's manual


def unpacked(url: str, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """What the gzip `chunks` of the document at `url` hold, in blocks of at most CHUNK_BYTES.

    Raises TrustError when they are not one gzip member, MissingError when it breaks off.
    """
    unpacker = zlib.decompressobj(_GZIP)
    for chunk in chunks:
        rest = chunk
        while rest and not unpacker.eof:
            try:
                block = unpacker.decompress(rest, CHUNK_BYTES)
            except zlib.error as error:
                raise TrustError(f"{url} is not the gzip that it is said to be: {error}") from error
            rest = unpacker.unconsumed_tail
            if block:
                yield block
        if unpacker.eof and (rest or unpacker.unused_data):
            raise TrustError(f"{url} goes on after the end of its gzip")
    if not unpacker.eof:
        raise MissingError(f"{url} broke off within its gzip; try again later")
