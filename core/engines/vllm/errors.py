"""What a library's own processes say on stdout and stderr: passed on to the log, and searched for the cause of a failure."""

from __future__ import annotations

import os
import re
import threading
from collections import deque

from ..host.engine import EngineFailure

_ERROR = re.compile(r"((?:\w+\.)*\w*(?:Error|Exception|Interrupt)): (.+)")
_CONSEQUENCES = ("Engine core initialization failed", "WorkerProc initialization failed", "EngineCore encountered")
_MEMORY = ("out of memory", "OutOfMemoryError", "MemoryError", "No available memory", "can't allocate memory")
_MODEL = ("safetensors", "SafetensorError", "architecture", "quantiz", "weights", "size mismatch", "KeyError")
_KERNEL = re.compile(r"'_C\w*' object has no attribute '(\w+)'")
_LINES = 200


class Overheard:
    """Captures file descriptors 1 and 2 of this process and of the children started later.

    In a host both lead to the log already (see `serve`); vLLM's log goes to the first, its processes' last words to the second.
    """

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=_LINES)
        reading, writing = os.pipe()
        self._log = os.dup(2)
        os.dup2(writing, 1)
        os.dup2(writing, 2)
        os.close(writing)
        threading.Thread(target=self._listen, args=(reading,), daemon=True).start()

    def failure(self, what: str, error: BaseException) -> EngineFailure:
        """An EngineFailure with the last captured error that is not a consequence of another."""
        heard = [match for line in self._lines if (match := _ERROR.search(line))]
        causes = [f"{match[1]}: {match[2]}" for match in heard if not any(word in match[2] for word in _CONSEQUENCES)]
        cause = causes[-1][:400] if causes else f"{type(error).__name__}: {error}"
        if missing := _KERNEL.search(cause):
            message = f"{what}: it has no kernel {missing[1]} for this processor or GPU."
            return EngineFailure("model", message, "Choose weights in 16 bits or in another quantization.")
        if any(sign in cause for sign in _MEMORY):
            return EngineFailure("memory", f"{what}: {cause}", "Lower slots, context or memory_share.")
        if any(sign in cause for sign in _MODEL):
            return EngineFailure("model", f"{what}: {cause}", "Get the model again, or one that vLLM supports.")
        return EngineFailure("engine", f"{what}: {cause}", "See the log of the engine host.")

    def _listen(self, reading: int) -> None:
        with os.fdopen(reading, "rb") as pipe:
            for line in pipe:
                os.write(self._log, line)
                text = line.decode("utf-8", "replace")
                if _ERROR.search(text):
                    self._lines.append(text)
