"""completion: the script that a shell reads to complete commands, options and values."""

from __future__ import annotations

import click

from core.cli.call import Call
from core.cli.grammar import BEGIN, argument, command

DETAILS = (
    "For good: in bash, put the example into ~/.bashrc; in zsh, write the script to a file _lrm-tui in a folder of $fpath; in "
    "fish, write it to ~/.config/fish/completions/lrm-tui.fish."
)
SHELL = click.Choice(("bash", "zsh", "fish"))


@command(BEGIN, "source <(lrm-tui completion bash)", order=4, details=DETAILS)
@argument("shell", None, "the shell that reads the script", type=SHELL)
def completion(call: Call, shell: str) -> int:
    """Print a script that completes commands and options in a shell."""
    from core.cli.completion import script

    print(script(shell))
    return 0
