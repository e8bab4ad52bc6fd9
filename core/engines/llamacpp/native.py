"""A model and its context in llama.cpp, through llama-cpp-python's low-level API: load, tokenise, decode."""

from __future__ import annotations

import ctypes
import weakref
from collections import deque
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import llama_cpp as C
import numpy as np
from llama_cpp._ggml import libggml
from numpy.typing import NDArray

from ..decode.text import ByteDecoder, TextDecoder
from ..ggml_types import NUMBERS
from ..gguf_header import BadGguf, Tensor, parts, read_tensors
from ..host.engine import EngineFailure

_log: deque[str] = deque(maxlen=12)
_WARN, _ERROR = 3, 4
_STACKED = ("attn_k_b.weight", "attn_v_b.weight")
"""A matrix for each head, where keys and values are compressed; with these in AMX's layout llama.cpp aborts."""


@C.llama_log_callback  # type: ignore[untyped-decorator]
def _keep_log(level: int, text: bytes, _data: object) -> None:
    """Keep the last warnings and errors for messages, and drop the rest of the log."""
    if level in (_WARN, _ERROR):
        _log.append(text.decode("utf-8", "replace").strip())


def quieten() -> None:
    """Collect llama.cpp's log here instead of on stderr; code that sets another callback calls this afterwards."""
    C.llama_log_set(_keep_log, None)


quieten()


def has_amx() -> bool:
    """Whether this build of llama.cpp multiplies with AMX."""
    return b"AMX_INT8 = 1" in C.llama_print_system_info()


def layouts_are_sound() -> bool:
    """Whether llama.cpp may repack weights for faster matrix products.

    GCC compiles llama.cpp's AMX kernels wrongly, so that the first product ends in SIGSEGV, unless they were built with
    native/amxtileintrin.h, which leaves this symbol. Without AMX all is well.
    """
    return not has_amx() or hasattr(libggml, "lrm_whole_tile_configuration")


def log_tail() -> str:
    """The last errors of llama.cpp, for a message."""
    return "; ".join(_log) or "llama.cpp gave no reason"


def check_file(path: Path) -> list[Tensor]:
    """The tensors of all parts of a GGUF file. Raises EngineFailure where it is none, or parts or data are missing."""
    try:
        return [tensor for part in parts(path) for tensor in read_tensors(part)]
    except OSError as error:
        raise EngineFailure("model", f"{path}: {error.strerror}", "Check the model's path.") from error
    except BadGguf as error:
        raise EngineFailure("model", str(error), "Get or make the file again.") from error


class LlamaModel:
    """Weights of one GGUF file and its vocabulary (`prompt.Vocabulary`). Raises EngineFailure where it cannot be used."""

    def __init__(self, path: Path, gpu_layers: int) -> None:
        stacked = any(tensor.name.endswith(_STACKED) for tensor in check_file(path))
        C.llama_backend_init()
        parameters = C.llama_model_default_params()
        parameters.n_gpu_layers = gpu_layers
        parameters.use_extra_bufts = layouts_are_sound() and not (stacked and has_amx())
        if has_amx() and parameters.use_extra_bufts and not (gpu_layers and C.llama_supports_gpu_offload()):
            # Weights that are laid out anew are copies: they are read into them, since a mapped file would count beside them.
            parameters.load_mode = C.LLAMA_LOAD_MODE_NONE
        _log.clear()
        self.handle = C.llama_model_load_from_file(str(path).encode(), parameters)
        if not self.handle:
            if "alloc" in log_tail():
                raise EngineFailure("memory", f"No memory for {path}: {log_tail()}", "Lower gpu_layers, or free memory.")
            remedy = "Check that its architecture is supported."
            raise EngineFailure("model", f"llama.cpp cannot load {path}: {log_tail()}", remedy)
        weakref.finalize(self, C.llama_model_free, self.handle).atexit = False
        if C.llama_model_has_encoder(self.handle) or not C.llama_model_has_decoder(self.handle):
            raise EngineFailure("model", f"{path} is no causal language model.", "Choose a decoder-only model.")
        self.bytes = int(C.llama_model_size(self.handle))
        self._vocab = C.llama_model_get_vocab(self.handle)
        self.vocab_size = int(C.llama_vocab_n_tokens(self._vocab))
        self.trained_context = int(C.llama_model_n_ctx_train(self.handle))
        self.end_ids = frozenset(i for i in range(self.vocab_size) if C.llama_vocab_is_eog(self._vocab, i))
        self.piece = lru_cache(maxsize=None)(self._piece)

    @property
    def chat_template(self) -> str | None:
        """The Jinja template in the file, if it has one."""
        template = C.llama_model_chat_template(self.handle, None)
        return template.decode() if template else None

    @property
    def special_tokens(self) -> dict[str, str]:
        """What templates call `bos_token` and `eos_token`; empty where the file has none."""
        ids = {"bos_token": C.llama_vocab_bos(self._vocab), "eos_token": C.llama_vocab_eos(self._vocab)}
        return {name: self.piece(i).decode() if i >= 0 else "" for name, i in ids.items()}

    @property
    def added_tokens(self) -> list[str]:
        """The texts that llama.cpp recognises before it splits all else."""
        kinds = C.LLAMA_TOKEN_ATTR_CONTROL | C.LLAMA_TOKEN_ATTR_USER_DEFINED | C.LLAMA_TOKEN_ATTR_UNKNOWN
        ids = (i for i in range(self.vocab_size) if C.llama_vocab_get_attr(self._vocab, i) & kinds)
        return [self.piece(i).decode("utf-8", "replace") for i in ids]

    def tokenize(self, text: str, *, add_special: bool) -> list[int]:
        """Ids of `text`, in which special tokens are recognised; `add_special` adds what the file says (often BOS)."""
        data = text.encode()
        room = len(data) + 8
        ids = (C.llama_token * room)()
        count = C.llama_tokenize(self._vocab, data, len(data), ids, room, add_special, True)
        return list(ids[:count])

    def decode(self, ids: Sequence[int]) -> str:
        """See `prompt.Vocabulary`."""
        return b"".join(map(self.piece, ids)).decode("utf-8", "replace")

    def decoder(self, prefix: Sequence[int]) -> TextDecoder:
        """See `prompt.Vocabulary`; the bytes of a token do not depend on those before it."""
        return ByteDecoder(self.piece)

    def _piece(self, token: int) -> bytes:
        """The bytes of one token; special tokens appear as they are written."""
        room = 64
        while True:
            buffer = ctypes.create_string_buffer(room)
            count = C.llama_token_to_piece(self._vocab, token, buffer, room, 0, True)
            if count >= 0:
                return buffer.raw[:count]
            room = -count


def _free(context: C.llama_context_p, _model: LlamaModel) -> None:
    """Free a context; the reference keeps its model alive until then."""
    C.llama_free(context)


class LlamaContext:
    """A KV cache of `slots` sequences with `context` cells each, and the batch that is decoded next.

    Sequences whose numbers follow one another are decoded together: a gap costs another pass over the weights.
    """

    def __init__(
        self, model: LlamaModel, slots: int, context: int, batch: int, threads: int, kv_type: str = "f16", plain: bool = False
    ) -> None:
        parameters = C.llama_context_default_params()
        parameters.n_ctx = slots * context
        parameters.n_seq_max = slots
        parameters.n_batch = parameters.n_ubatch = batch
        parameters.n_threads = parameters.n_threads_batch = threads
        parameters.type_k = parameters.type_v = NUMBERS[kv_type]
        parameters.kv_unified = False  # in one buffer each sequence would look at the cells of all
        if plain:
            parameters.flash_attn_type = C.LLAMA_FLASH_ATTN_TYPE_DISABLED
        _log.clear()
        self._handle = C.llama_init_from_model(model.handle, parameters)
        if not self._handle:
            raise MemoryError(log_tail())
        weakref.finalize(self, _free, self._handle, model).atexit = False
        self._memory = C.llama_get_memory(self._handle)
        self._vocab_size = model.vocab_size
        self._count = self._outputs = 0
        self._tokens, self._positions, self._ones = (np.ones(batch, np.int32) for _ in range(3))
        self._sequences = np.zeros((batch, 1), np.int32)
        self._with_logits = np.zeros(batch, np.int8)
        self._batch = self._native_batch()

    def add(self, sequence: int, tokens: Sequence[int], position: int, want_logits: bool) -> None:
        """Append tokens of one sequence to the batch; with `want_logits`, logits of the last one are computed.

        Sequences go in by their numbers, the lowest first.
        """
        span = slice(self._count, self._count + len(tokens))
        self._tokens[span] = tokens
        self._positions[span] = range(position, position + len(tokens))
        self._sequences[span] = sequence
        self._with_logits[span] = 0
        self._with_logits[span.stop - 1] = want_logits
        self._count = span.stop
        self._outputs += want_logits

    def decode(self) -> NDArray[np.float32]:
        """Run the batch. Returns logits, [tokens added with `want_logits`, vocabulary], overwritten by the next call."""
        self._batch.n_tokens, outputs = self._count, self._outputs
        self._count = self._outputs = 0
        _log.clear()
        code = C.llama_decode(self._handle, self._batch)
        if code:
            kind = "memory" if code == 1 or "alloc" in log_tail() else "engine"
            raise EngineFailure(kind, f"llama_decode failed with code {code}: {log_tail()}", "Lower slots or context.")
        if not outputs:
            return np.empty((0, self._vocab_size), np.float32)
        return np.ctypeslib.as_array(C.llama_get_logits(self._handle), (outputs, self._vocab_size))

    def forget(self, sequence: int) -> None:
        """Drop a sequence from the KV cache."""
        C.llama_memory_seq_rm(self._memory, sequence, -1, -1)

    def move(self, sequence: int, target: int) -> None:
        """Move a sequence to the free number `target`. Its whole buffer is copied."""
        C.llama_memory_seq_cp(self._memory, sequence, target, -1, -1)
        self.forget(sequence)

    def copy(self, sequence: int, target: int, tokens: int) -> bool:
        """Give the free number `target` the first `tokens` of a sequence. Returns whether this kind of cache can."""
        C.llama_memory_seq_cp(self._memory, sequence, target, -1, -1)
        if C.llama_memory_seq_rm(self._memory, target, tokens, -1):
            return True
        self.forget(target)  # of a cache that keeps a window or a state nothing can be taken off the end
        return False

    def forget_all(self) -> None:
        """Empty the KV cache, so that the next sequence starts at its first cell."""
        C.llama_memory_clear(self._memory, False)

    def _native_batch(self) -> C.llama_batch:
        """A llama_batch whose fields are views of our arrays; each token belongs to exactly one sequence."""
        rows = self._sequences.ctypes.data
        pointers = [ctypes.cast(rows + 4 * i, ctypes.POINTER(C.llama_seq_id)) for i in range(len(self._tokens))]
        self._rows = (ctypes.POINTER(C.llama_seq_id) * len(pointers))(*pointers)
        return C.llama_batch(
            token=self._tokens.ctypes.data_as(ctypes.POINTER(C.llama_token)),
            pos=self._positions.ctypes.data_as(ctypes.POINTER(C.llama_pos)),
            n_seq_id=self._ones.ctypes.data_as(ctypes.POINTER(ctypes.c_int32)),
            seq_id=ctypes.cast(self._rows, ctypes.POINTER(ctypes.POINTER(C.llama_seq_id))),
            logits=self._with_logits.ctypes.data_as(ctypes.POINTER(ctypes.c_int8)),
        )
