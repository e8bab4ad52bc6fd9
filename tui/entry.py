"""The command `lrm-tui`: the app without a command, everything else from core.cli."""

from __future__ import annotations

import gc
import os
import sys

from core import cli
from core.cli.call import Call
from core.errors import UsageError


def main() -> None:
    """Entry point of the console script."""
    sys.exit(cli.main(workbench=_open, themes=_themes))


def _themes() -> list[str]:
    """The themes that --theme takes."""
    from textual.theme import BUILTIN_THEMES

    return sorted(BUILTIN_THEMES)


def _open(call: Call) -> int:
    """Open the app over the store of a call. Returns the exit code.

    Raises UsageError without a terminal, or for a theme that does not exist.
    """
    if not all(os.isatty(descriptor) for descriptor in (0, 1, 2)):
        raise UsageError(
            "The workbench needs a terminal for its input and output.", "`lrm-tui --help` lists what prints instead."
        )
    gc.disable()  # until the app is there: hardly anything that its start makes is garbage
    from tui.app import run
    from tui.terminal import Look, check_theme

    if call.theme is not None:
        check_theme(call.theme)
    look = Look(call.ascii, call.slow, not call.no_mouse, call.theme)
    return run(call.store, call.data_folder, call.readonly, look)


if __name__ == "__main__":
    main()
