"""Black-box distillation, as DeepSeek-R1's students were made (arXiv:2501.12948): fine-tune on a teacher's correct answers.

Only what the teacher wrote counts in the loss. Checkpoints lie in the folder that becomes the variant, so that a killed
job goes on at its last one.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, PreTrainedModel, TrainerCallback
from transformers.trainer_utils import get_last_checkpoint
from trl import SFTConfig, SFTTrainer

from core.compress import Progress
from core.compress.calibration import load_tokenizer
from core.compress.distill.answers import Answer, Sampled, sampled
from core.compress.hf_folder import HfFolder
from core.compress.prune.prune import RECORD
from core.compress.recipes import Distillation
from core.engines.decode.prompt import Prompts
from core.engines.hf_vocabulary import HfVocabulary
from core.engines.host.wire import Generate, Sampling
from core.engines.thinking import PLAIN, THINK, THINK_END, in_text
from core.errors import CompressionError, DataError
from core.files.content import companions

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

IGNORED = -100
WARMUP = 0.05
CHECKPOINTS = "checkpoints"
SAVES = 10
_RATE, _LORA_RATE = 2e-5, 2e-4
_LORA_LAYERS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def distill_folder(source: HfFolder, target: Path, distillation: Distillation, store: Path | None, progress: Progress) -> None:
    """Write a fine-tuned copy of `source` to `target`, going on at its last checkpoint.

    Raises DataError where there is nothing to learn from, CompressionError where the loss is not finite, OSError.
    """
    source.require_family()
    samples = sampled(store, distillation.runs)
    tokenizer = load_tokenizer(source.path)
    rows = _rows(samples.answers, tokenizer, int(source.config.max_position_embeddings))
    record = {"recipe": distillation.name, "options": asdict(distillation), **_counts(samples), "learned_from": len(rows)}
    _begin(target, record)
    progress(0, 1, f"{samples.finished} responses, {samples.correct} correct, {len(rows)} to learn from")
    model = AutoModelForCausalLM.from_pretrained(source.path, dtype=torch.float32)
    stored = next(tensor for _, tensor in source.tensors()).dtype
    if distillation.lora:
        model = _with_lora(model, distillation.lora)
    trainer = SFTTrainer(
        model=model,
        args=_settings(distillation, target / CHECKPOINTS, len(rows), int(source.config.max_position_embeddings)),
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        callbacks=[_ProgressCallback(progress)],
    )
    trainer.train(resume_from_checkpoint=_last(target / CHECKPOINTS))
    _save(trainer.model.merge_and_unload() if distillation.lora else trainer.model, stored, source, target)


def _rows(answers: tuple[Answer, ...], tokenizer: PreTrainedTokenizerBase, context: int) -> list[dict[str, list[int]]]:
    """Token ids and labels, each [tokens]; answers that do not fit into the context are left out, never cut.

    The prompt is the student's own, token for token as an engine sends it.
    """
    prompts = Prompts(HfVocabulary(tokenizer, len(tokenizer)))
    rows = []
    for answer in answers:
        prompt, question = prompts.tokens(Generate("", answer.question, answer.chat, 0, Sampling()))
        output = tokenizer(_opened(answer.text, prompt) + tokenizer.eos_token, add_special_tokens=False).input_ids
        if len(question) + len(output) <= context:
            rows.append({"input_ids": question + output, "labels": [IGNORED] * len(question) + output})
    if not rows:
        raise DataError("None of the correct answers fits into the student's context.", "Choose shorter answers.")
    return rows


def _opened(text: str, prompt: str) -> str:
    """A teacher's output with its thinking opened once, by the student's prompt or by the output itself."""
    marks = in_text(text)
    if marks != PLAIN and (close := marks.last_close(text)) is not None:  # a teacher of another family
        text = f"{THINK}\n{text[marks.begin(text) : close[0]].strip()}\n{THINK_END}{marks.trimmed(text[close[1] :])}"
    opened = text.lstrip().startswith(THINK)
    if prompt.rstrip().endswith(THINK):
        return text.lstrip().removeprefix(THINK).removeprefix("\n") if opened else text
    return text if opened or THINK_END not in text else f"{THINK}\n{text}"


def _settings(distillation: Distillation, checkpoints: Path, rows: int, context: int) -> SFTConfig:
    steps = -(-rows // distillation.batch) * distillation.epochs
    on_gpu = torch.cuda.is_available()
    small = next(size for size in range(min(distillation.batch, 8), 0, -1) if distillation.batch % size == 0)
    return SFTConfig(
        output_dir=str(checkpoints),
        num_train_epochs=distillation.epochs,
        learning_rate=distillation.rate or (_LORA_RATE if distillation.lora else _RATE),
        lr_scheduler_type="cosine",
        warmup_steps=WARMUP,
        per_device_train_batch_size=small,
        gradient_accumulation_steps=distillation.batch // small,
        max_length=context,
        packing=distillation.packed,
        train_sampling_strategy="random" if distillation.packed else "batch_rebalance",  # little is padded
        bf16=on_gpu,
        use_cpu=not on_gpu,
        **({"gradient_checkpointing": True} if on_gpu else {}),
        save_strategy="steps",
        save_steps=max(1, int(steps) // SAVES),
        save_total_limit=1,
        logging_steps=max(1, int(steps) // 100),
        logging_nan_inf_filter=False,
        report_to=[],
        disable_tqdm=True,
        seed=0,
        dataloader_num_workers=0,
    )


class _ProgressCallback(TrainerCallback):  # type: ignore[misc]
    """Reports progress, and ends training where the loss is not finite."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def on_log(self, _args: Any, state: Any, _control: Any, logs: dict[str, float] | None = None, **_rest: Any) -> None:  # noqa: ANN401
        """Called at each log of the trainer. Raises CompressionError where the loss is not finite."""
        loss = (logs or {}).get("loss")
        if loss is None:
            return
        if not loss < float("inf"):
            raise CompressionError(f"The loss is {loss} at step {state.global_step}.", "Choose a lower rate.")
        done = f"step {state.global_step}/{state.max_steps}"
        self._progress(state.global_step, state.max_steps, f"{done}, epoch {state.epoch:.1f}, loss {loss:.4f}")


def _with_lora(model: PreTrainedModel, rank: int) -> PreTrainedModel:
    from peft import LoraConfig, get_peft_model

    settings = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=_LORA_LAYERS, task_type="CAUSAL_LM")
    return get_peft_model(model, settings)


def _begin(target: Path, record: dict[str, object]) -> None:
    text = json.dumps(record, indent=2)
    mark = target / RECORD
    if mark.is_file() and mark.read_text(encoding="utf-8") == text:
        return
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    mark.write_text(text, encoding="utf-8")


def _last(checkpoints: Path) -> str | None:
    """The last complete checkpoint; incomplete ones, which lack the trainer's state, are removed."""
    checkpoint = get_last_checkpoint(str(checkpoints)) if checkpoints.is_dir() else None
    while checkpoint and not (Path(checkpoint) / "trainer_state.json").is_file():
        shutil.rmtree(checkpoint)
        checkpoint = get_last_checkpoint(str(checkpoints))
    return str(checkpoint) if checkpoint else None


def _save(model: PreTrainedModel, dtype: torch.dtype, source: HfFolder, target: Path) -> None:
    model.config.use_cache = True  # the trainer turns it off, which would make generation slow
    model.to(dtype).save_pretrained(target)
    written = {file.name for file in target.iterdir()}
    for file in companions(source.path):
        if file.name not in written and not file.name.endswith(".index.json"):
            shutil.copyfile(file, target / file.name)
    shutil.rmtree(target / CHECKPOINTS)


def _counts(samples: Sampled) -> dict[str, object]:
    return {"finished": samples.finished, "correct": samples.correct, "different": len(samples.answers)}
