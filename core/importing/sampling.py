"""How a log says that its outputs were drawn and could end, in the names of `Sampling`."""

from __future__ import annotations

import re
from typing import Annotated, TypedDict, cast

from pydantic import AliasChoices, BaseModel, BeforeValidator, Field, ValidationError


class Said(TypedDict, total=False):
    """The fields of `Sampling` that are known, with their values; the others are unknown."""

    temperature: float
    top_p: float
    top_k: int
    min_p: float
    max_tokens: int
    stop: tuple[str, ...]


_END_MARK = re.compile(r"</?[^<>\s]{1,40}>")
"""A mark with which a model itself ends its turn, such as `<|im_end|>`: no stop string cut the output there."""


def _texts(value: object) -> object:
    """A stop string or a list of them, without marks that end a turn."""
    texts = [value] if isinstance(value, str) else value
    return [text for text in texts if text and not _END_MARK.fullmatch(str(text))] if isinstance(texts, list) else texts


class _Fields(BaseModel):
    """The fields under the names of vLLM, transformers, lm-evaluation-harness, Inspect and OpenAI."""

    temperature: float | None = Field(None, ge=0, le=100)
    top_p: float | None = Field(None, gt=0, le=1)
    top_k: int | None = Field(None, ge=0, lt=2**31)
    min_p: float | None = Field(None, ge=0, lt=1)
    max_tokens: int | None = Field(
        None,
        ge=1,
        lt=2**31,
        validation_alias=AliasChoices("max_tokens", "max_completion_tokens", "max_new_tokens", "max_gen_toks"),
    )
    stop: Annotated[tuple[str, ...] | None, BeforeValidator(_texts)] = Field(
        None, validation_alias=AliasChoices("stop", "stop_seqs", "stop_sequences", "until")
    )
    do_sample: bool | None = None


def said(values: object) -> Said:
    """What a log's settings say of the sampling; a field of a wrong type or range counts as unknown."""
    known = {str(name): value for name, value in values.items()} if isinstance(values, dict) else {}
    try:
        fields = _Fields.model_validate(known)
    except ValidationError as error:
        wrong = {str(found["loc"][0]) for found in error.errors()}
        return said({name: value for name, value in known.items() if name not in wrong})
    if fields.do_sample is False:
        fields.temperature = 0.0
    known = fields.model_dump(exclude={"do_sample"})
    return cast(Said, {name: value for name, value in known.items() if value not in (None, ())})
