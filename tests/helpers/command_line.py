"""A command line read, and not run."""

from __future__ import annotations

from collections.abc import Sequence
from unittest.mock import patch

import click

from core.cli.call import Call
from core.cli.grammar import Command
from core.cli.program import NAME, program


def parsed(arguments: Sequence[str]) -> click.Context:
    """The context of a command with its values in `params` and those of shared options in `obj`.

    Without a command it is that of `lrm-tui` itself. Raises click's exceptions: UsageError for nonsense, Exit after help.
    """
    contexts: list[click.Context] = []
    call = Call(lambda call: 0)
    context = program.make_context(NAME, list(arguments), obj=call)
    with patch.object(Command, "invoke", lambda command, context: contexts.append(context)), context:
        program.invoke(context)
    return contexts[0] if contexts else context
