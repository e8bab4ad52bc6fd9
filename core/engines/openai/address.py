"""Addresses of models that lie on a server: `http://127.0.0.1:8000/v1#name`."""

from __future__ import annotations

from urllib.parse import urlsplit


def parse(address: str) -> tuple[str, str]:
    """The base URL and the model's name (empty: the only one that is served). Raises ValueError with a sentence."""
    url, _, name = address.partition("#")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{url!r} is no address of a server such as http://127.0.0.1:8000/v1#name.")
    if parts.username or parts.password or parts.query:
        raise ValueError("An address with a user, password or query could hold a secret, and it is stored: leave them out.")
    return url.rstrip("/"), name
