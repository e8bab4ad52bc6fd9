"""Loads a model and its tokenizer with transformers, and refuses incomplete checkpoints."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
import transformers
from safetensors import SafetensorError

from ..hf_checkpoint import not_loaded
from ..hf_vocabulary import HfVocabulary, load_tokenizer
from ..host.engine import GET_AGAIN, EngineFailure


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model ready to run, its vocabulary, and the ids that end a response."""

    model: transformers.PreTrainedModel
    vocabulary: HfVocabulary
    end_ids: frozenset[int]
    trained_context: int
    version: str


def load(folder: Path, dtype: str, device: str | None, threads: int | None, trusted: bool) -> Loaded:
    """Load a folder; code of its own runs only if it is `trusted`.

    Raises EngineFailure for weights that are damaged, incomplete or of an unknown architecture.
    """
    transformers.utils.logging.disable_progress_bar()
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        model, report = transformers.AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=dtype,
            use_safetensors=True,
            trust_remote_code=trusted,
            local_files_only=True,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
        tokenizer = load_tokenizer(folder)
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise not_loaded(folder, str(error)) from error
    except ImportError as error:
        raise EngineFailure("engine", f"{folder} needs a library that is not installed: {error}", "Install it.") from error
    # transformers would fill what is missing or of another shape with random numbers and go on.
    misfits = {name for name, *_shapes in report["mismatched_keys"]}
    for fault, names in (("lacks", report["missing_keys"]), ("does not fit its config in", misfits)):
        if names:
            some = ", ".join(sorted(names)[:3])
            raise EngineFailure("model", f"{folder} {fault} {len(names)} weights: {some}.", GET_AGAIN)
    model = model.to(device or ("cuda" if torch.cuda.is_available() else "cpu")).eval()
    return Loaded(
        model=model,
        vocabulary=HfVocabulary(tokenizer, int(model.get_input_embeddings().num_embeddings)),
        end_ids=_end_ids(model, tokenizer),
        trained_context=int(getattr(model.config, "max_position_embeddings", None) or 2**31),
        version=str(transformers.__version__),
    )


def _end_ids(model: transformers.PreTrainedModel, tokenizer: transformers.PreTrainedTokenizerBase) -> frozenset[int]:
    """Every id that the tokenizer, the config or the generation config calls an end of sequence."""
    end_ids: set[int] = set()
    for ids in (tokenizer.eos_token_id, model.config.eos_token_id, model.generation_config.eos_token_id):
        end_ids.update(ids if isinstance(ids, list) else [] if ids is None else [ids])
    return frozenset(end_ids)
