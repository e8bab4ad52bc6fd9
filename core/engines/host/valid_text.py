"""Text and JSON values without half surrogate pairs, which no file, store or terminal takes."""

from __future__ import annotations


def valid(text: str) -> str:
    """`text` as it can be written in UTF-8: two halves of a surrogate pair become one character, a lone half U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def valid_json(value: object) -> object:
    """A JSON value with `valid` texts and names throughout."""
    if isinstance(value, str):
        return valid(value)
    if isinstance(value, list):
        return [valid_json(one) for one in value]
    if isinstance(value, dict):
        return {valid(name): valid_json(one) for name, one in value.items()}
    return value
