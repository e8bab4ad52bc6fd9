"""Compression: jobs that turn a model into a variant of it, as child processes that report progress lines.

`recipes` is the grammar of compression names and may be imported anywhere; `worker` is the child, and the rest does its
work.
"""

from collections.abc import Callable

Progress = Callable[[int, int, str], None]
"""How far a step is: done, total, and a message for people."""
