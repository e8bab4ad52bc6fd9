"""Server-sent events cut out of a stream's bytes, wherever the network cut those."""

from __future__ import annotations

_DATA, _BOM = b"data:", b"\xef\xbb\xbf"


class Events:
    """The data of each event, as soon as its empty line has come; comments and other fields are passed over."""

    def __init__(self) -> None:
        self._rest = b""
        self._begun = False

    def cut(self, received: bytes) -> list[bytes]:
        """The events that end in these bytes, which follow those of the last call."""
        text = self._rest + received
        if not self._begun and len(text) >= len(_BOM):
            self._begun, text = True, text.removeprefix(_BOM)
        held = b"\r" if text.endswith(b"\r") else b""  # half of a line's end, or all of it
        if b"\r" in text:
            text = text.removesuffix(held).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *events, rest = text.split(b"\n\n")
        self._rest = rest + held
        return [data for event in events if (data := _data(event)) is not None]

    def end(self) -> list[bytes]:
        """What the stream ended in, for servers that leave out the last empty line."""
        return self.cut(b"\n\n")


def _data(event: bytes) -> bytes | None:
    """The joined data of an event; None where it has none."""
    if b"\n" not in event:
        return event[len(_DATA) :].strip() if event.startswith(_DATA) else None
    lines = [line[len(_DATA) :].strip() for line in event.split(b"\n") if line.startswith(_DATA)]
    return b"\n".join(lines) if lines else None
