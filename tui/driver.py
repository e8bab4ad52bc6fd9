"""Keys and mouse of the terminal, read so that no byte that it sends ends the app."""

from __future__ import annotations

import os
import re
import selectors
from codecs import getincrementaldecoder

from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver

READ_BYTES = 4096
WAIT_S = 0.1
"""How long a lone escape may wait for the rest of a sequence."""
_OLD_MOUSE = re.compile(rb"\x1b\[M.{3}", re.DOTALL)
_BEGUN = re.compile(rb"\x1b\[M.{0,2}\Z", re.DOTALL)


class Input:
    """Turns the terminal's bytes into text, whatever they are.

    Mouse reports in the oldest format hold bytes that are no UTF-8 beyond column 95, and letters before it; a terminal sends
    them where it did not see the newer format asked for, as after a new attach of tmux. They are dropped, also across reads.
    """

    def __init__(self) -> None:
        self._decode = getincrementaldecoder("utf-8")("replace").decode
        self._held = b""

    def text(self, data: bytes) -> str:
        """The text of the next bytes."""
        data = _OLD_MOUSE.sub(b"", self._held + data)
        begun = _BEGUN.search(data)
        self._held = data[begun.start() :] if begun else b""
        return self._decode(data[: len(data) - len(self._held)])


class TolerantDriver(LinuxDriver):
    """Textual's driver, but bytes that are no UTF-8 become replacement characters."""

    def run_input_thread(self) -> None:
        """Read until the app ends, or until the terminal sends nothing any more."""
        parser, source = XTermParser(self._debug), Input()
        with selectors.DefaultSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                if selector.select(WAIT_S):
                    data = os.read(self.fileno, READ_BYTES)
                    if not data:
                        return
                    if text := source.text(data):  # to the parser an empty text is the end
                        for message in parser.feed(text):
                            self.process_message(message)
                for message in parser.tick():
                    self.process_message(message)
