"""Limits on what a server may send: the bytes of one event and of a whole reply, counted as they are unpacked."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Iterator

import httpx2

LONGEST_EVENT = 4 * 2**20
LONGEST_REPLY = 512 * 2**20
PIECE = 2**16
_PACKED = {"gzip": zlib.MAX_WBITS | 16, "x-gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS | 32}


class BadReply(Exception):
    """A reply is longer than any answer, or cannot be unpacked; the message says why."""


async def limit(response: httpx2.Response) -> None:
    """A hook of the client: the reply's bytes are unpacked and counted piece by piece. Raises BadReply for unknown packings."""
    packing = response.headers.pop("content-encoding", "identity").strip().lower()
    if packing != "identity" and packing not in _PACKED:
        await response.aclose()
        raise BadReply(f"it is packed as {packing[:40]!r}, which was not asked for")
    response.stream = _Limited(response.stream, _PACKED.get(packing))


class _Limited(httpx2.AsyncByteStream):
    """A stream that ends with BadReply at a limit; `window` is how zlib unpacks it, None where it is not packed."""

    def __init__(self, stream: httpx2.SyncByteStream | httpx2.AsyncByteStream | None, window: int | None) -> None:
        assert isinstance(stream, httpx2.AsyncByteStream)
        self._stream = stream
        self._unpack = None if window is None else zlib.decompressobj(window)
        self._whole = self._event = 0
        self._tail = b""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for data in self._stream:
            for piece in self._unpacked(data):
                self._count(piece)
                yield piece

    async def aclose(self) -> None:
        """Close the connection's stream."""
        await self._stream.aclose()

    def _unpacked(self, data: bytes) -> Iterator[bytes]:
        if self._unpack is None:
            yield data
            return
        while data:
            try:
                piece = self._unpack.decompress(data, PIECE)
            except zlib.error as error:
                raise BadReply(f"it is not packed as it says ({error})") from error
            data = self._unpack.unconsumed_tail
            yield piece

    def _count(self, piece: bytes) -> None:
        """Count a piece; an event ends with an empty line."""
        self._whole += len(piece)
        if self._whole > LONGEST_REPLY:
            raise BadReply(f"it is longer than {LONGEST_REPLY // 2**20} MiB")
        seen = (self._tail + piece).replace(b"\r\n", b"\n")
        end = seen.rfind(b"\n\n")
        self._event = self._event + len(piece) if end < 0 else len(seen) - end - 2
        self._tail = piece[-3:]
        if self._event > LONGEST_EVENT:
            raise BadReply(f"one event of it is longer than {LONGEST_EVENT // 2**20} MiB")
