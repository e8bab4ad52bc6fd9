"""The registry of keys: bindings, footers, help, command palette and docs/keys.md are made from it."""

from __future__ import annotations

from dataclasses import dataclass

from textual.binding import Binding, BindingType


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a screen. `footer` is its short name in the footer; a key without one is listed in the help only.

    `writes` marks actions that change the store or start something: a read-only screen does not offer them.
    """

    id: str
    key: str
    action: str
    description: str
    screen: str
    footer: str = ""
    priority: bool = False
    label: str = ""
    writes: bool = False

    @property
    def shown(self) -> str:
        """The key as help and docs write it."""
        return self.label or self.key.replace(",", " ")


TITLES = {
    "app": "Everywhere",
    "table": "In tables",
    "queue": "Queue",
    "live": "Live",
    "scores": "Scores",
    "lengths": "Lengths",
    "responses": "Responses",
    "response": "One response",
    "finder": "While searching",
    "variants": "Side by side",
    "flips": "Flipped questions",
    "ask": "While answering",
    "review": "A verdict by hand",
    "form": "New run",
    "dialog": "Messages",
    "confirm": "Questions",
}

PANES = ("queue", "live", "scores", "lengths", "responses")

KEYS = (
    Key("queue.new", "n", "new_run", "Queue new runs", "queue", "New run", writes=True),
    Key("queue.clone", "d", "clone", "Queue a run like this one: the form, filled in from it", "queue", "Clone", writes=True),
    Key("queue.cancel", "c", "cancel", "Cancel the job, after a question", "queue", "Cancel", writes=True),
    Key("queue.pause", "p", "pause", "Pause the job, or let a paused one go on", "queue", "Pause", writes=True),
    Key("queue.requeue", "r", "requeue", "Let a paused, failed or cancelled job go on", "queue", "Requeue", writes=True),
    Key("queue.up", "K", "move(-1)", "Move the job up", "queue", writes=True),
    Key("queue.down", "J", "move(1)", "Move the job down", "queue", writes=True),
    Key("queue.open", "enter", "open", "Show the job's streams, responses or error", "queue", "Open", label="⏎"),
    Key("queue.error", "e", "error", "Show the job's message and error", "queue"),
    Key("live.follow", "f", "follow", "Follow the end of the text, or stop following", "live", "Follow"),
    Key("live.pause", "space", "pause", "Pause the whole pane, or resume it", "live", "Pause"),
    Key("live.search", "slash", "search", "Search the text", "live", "Search", label="/"),
    Key("live.next", "n", "match(1)", "Next match", "live"),
    Key("live.previous", "N", "match(-1)", "Previous match", "live"),
    Key("live.loop", "l", "loop", "Go to the start of the loop", "live", "Loop"),
    Key("live.copy", "y", "copy", "Copy the text, to the clipboard and to a file", "live", "Copy"),
    Key("live.back", "[", "page(-1)", "A page of text up", "live"),
    Key("live.on", "]", "page(1)", "A page of text down", "live"),
    Key("scores.view", "v", "view(1)", "Next view: table, published, recorded, compare, recommend, curves", "scores", "View"),
    Key("scores.view_back", "V", "view(-1)", "Previous view", "scores"),
    Key(
        "scores.open",
        "enter",
        "follow",
        "The responses behind the cell, or the flipped questions",
        "scores",
        "Open",
        label="⏎",
    ),
    Key("scores.sort", "o", "sort", "Sort by the column under the cursor: falling, rising, as it came", "scores", "Sort"),
    Key("scores.filter", "slash", "filter", "Filter the rows by words", "scores", "Filter", label="/"),
    Key("scores.clear", "escape", "clear", "Drop the filter", "scores"),
    Key("scores.first", "a", "first", "Take the variant under the cursor as A", "scores", "A"),
    Key("scores.compare", "c", "compare", "Compare A with the variant under the cursor; then back to the table", "scores", "Compare"),
    Key("scores.other", "]", "other(1)", "Compare with the next variant", "scores", "Next B"),
    Key("scores.other_back", "[", "other(-1)", "Compare with the previous variant", "scores"),
    Key("scores.swap", "x", "swap", "Swap A and B", "scores", "Swap"),
    Key("scores.edition", "e", "edition", "Compare with the paper's next edition: v1, v3, ICLR", "scores", "Edition"),
    Key("scores.budget", "b", "budget", "Set the memory budget", "scores", "Memory"),
    Key("scores.knowledge", "w", "knowledge", "Weigh what a model knows (F1), or not", "scores", "Knowledge"),
    Key("scores.copy", "y", "copy", "Copy the table, to the clipboard and to a file", "scores", "Copy"),
    Key("lengths.view", "v", "view(1)", "Next view: table, published, deciles, collapse", "lengths", "View"),
    Key("lengths.view_back", "V", "view(-1)", "Previous view", "lengths"),
    Key("lengths.open", "enter", "follow", "The responses behind the cell", "lengths", "Open", label="⏎"),
    Key("lengths.share", "t", "share", "Next share of the shortest and longest: 30, 20, 10, 50 %", "lengths", "Share"),
    Key("lengths.edition", "e", "edition", "Compare with the paper's next edition: v1, v3, ICLR", "lengths", "Edition"),
    Key("lengths.collapse", "c", "collapse", "Repetition collapse, or the first table again", "lengths", "Collapse"),
    Key("lengths.sort", "o", "sort", "Sort by the column under the cursor: falling, rising, as it came", "lengths", "Sort"),
    Key("lengths.filter", "slash", "filter", "Filter the rows by words", "lengths", "Filter", label="/"),
    Key("lengths.clear", "escape", "clear", "Drop the filter", "lengths"),
    Key("lengths.copy", "y", "copy", "Copy the table, to the clipboard and to a file", "lengths", "Copy"),
    Key(
        "responses.filter",
        "f",
        "filter(1)",
        "Next verdict: correct, wrong, unparsed, ...",
        "responses",
        "Verdict",
    ),
    Key("responses.filter_back", "F", "filter(-1)", "Previous verdict", "responses"),
    Key(
        "responses.search",
        "slash",
        "search",
        "Filter by words of the text, words:>2000, variant:q4, ...",
        "responses",
        "Search",
        label="/",
    ),
    Key("responses.order", "o", "order", "Next order: newest, oldest, longest, shortest first", "responses", "Order"),
    Key("responses.all", "a", "every", "Every response: drop the filter", "responses", "All"),
    Key("responses.back", "[", "page(-1)", "A page up", "responses"),
    Key("responses.on", "]", "page(1)", "A page down", "responses"),
    Key("responses.open", "enter", "open", "Read the whole response", "responses", "Read", label="⏎"),
    Key("responses.compare", "v", "variants", "The same question across variants, side by side", "responses", "Variants"),
    Key("responses.review", "m", "review", "Judge or flag the response by hand, with a note", "responses", "Mark", writes=True),
    Key("response.close", "escape", "dismiss", "Back to the list", "response", "Back"),
    Key("response.next", "]", "step(1)", "Next response of the list", "response", "Next"),
    Key("response.previous", "[", "step(-1)", "Previous response of the list", "response", "Prev"),
    Key("response.part", "p", "part('prompt')", "Go to the prompt", "response"),
    Key("response.thinking", "t", "part('thinking')", "Go to the thinking", "response"),
    Key("response.answer", "a", "part('answer')", "Go to the answer part", "response", "Answer"),
    Key("response.loop", "l", "part('loop')", "Go to the start of the loop", "response"),
    Key("response.fold", "z", "fold", "Show every round of a loop, or its first one with a count", "response"),
    Key("response.search", "slash", "search", "Search the text", "response", "Search", label="/"),
    Key("response.match", "n", "match(1)", "Next match", "response"),
    Key("response.match_back", "N", "match(-1)", "Previous match", "response"),
    Key("response.compare", "v", "variants", "The same question across variants, side by side", "response", "Variants"),
    Key("response.review", "m", "review", "Judge or flag by hand, with a note", "response", "Mark", writes=True),
    Key("response.copy", "y", "copy", "Copy the text, to the clipboard and to a file", "response", "Copy"),
    Key("response.help", "?,f1", "help", "These keys", "response", label="?"),
    Key("table.up", "up,k", "cursor_up", "Up", "table", label="↑ k"),
    Key("table.down", "down,j", "cursor_down", "Down", "table", label="↓ j"),
    Key("table.page_up", "pageup", "page_up", "A page up", "table"),
    Key("table.page_down", "pagedown", "page_down", "A page down", "table"),
    Key("table.top", "home,g", "scroll_top", "To the first row", "table", label="home g"),
    Key("table.bottom", "end,G", "scroll_bottom", "To the last row", "table", label="end G"),
    Key("table.left", "left", "cursor_left", "The column to the left; in lists of rows, scroll", "table", label="←"),
    Key("table.right", "right", "cursor_right", "The column to the right; in lists of rows, scroll", "table", label="→"),
    Key("variants.close", "escape", "dismiss", "Back", "variants", "Back"),
    Key("variants.open", "enter", "open", "Read the response under the cursor", "variants", "Read", label="⏎"),
    Key("variants.left", "x", "left", "Put the response under the cursor on the left", "variants", "To the left"),
    Key("variants.changes", "c", "change(1)", "Next difference", "variants", "Next diff"),
    Key("variants.changes_back", "C", "change(-1)", "Previous difference", "variants"),
    Key("variants.down", "]", "page(1)", "A page of text down", "variants"),
    Key("variants.up", "[", "page(-1)", "A page of text up", "variants"),
    Key("variants.review", "m", "review", "Judge or flag by hand, with a note", "variants", "Mark", writes=True),
    Key("variants.copy", "y", "copy", "Copy the difference, to the clipboard and to a file", "variants", "Copy"),
    Key("variants.help", "?,f1", "help", "These keys", "variants", label="?"),
    Key("flips.close", "escape", "dismiss", "Back", "flips", "Back"),
    Key("flips.open", "enter", "open", "Both responses side by side", "flips", "Side by side", label="⏎"),
    Key("flips.help", "?,f1", "help", "These keys", "flips", label="?"),
    Key("ask.close", "escape", "dismiss", "Back without an answer", "ask", "Back"),
    Key("review.save", "ctrl+s", "save", "Store the verdict", "review", "Save"),
    Key("review.close", "escape", "dismiss", "Back without a verdict", "review", "Back"),
    Key("finder.leave", "escape", "leave", "Clear the search; a filter goes back to what it was", "finder", label="esc"),
    Key("form.submit", "ctrl+s", "submit", "Queue the runs", "form", "Queue"),
    Key("form.help", "f1", "help", "These keys", "form", "Help"),
    Key("form.close", "escape", "dismiss", "Back without queueing", "form", "Back"),
    Key("dialog.close", "escape,enter,space,q,question_mark", "dismiss", "Close", "dialog", label="esc ⏎"),
    Key("confirm.yes", "y", "answer(True)", "Yes", "confirm", "Yes"),
    Key("confirm.no", "n,escape", "answer(False)", "No", "confirm", "No", label="n esc"),
    Key("app.queue", "1", "pane('queue')", "Queue", "app"),
    Key("app.live", "2", "pane('live')", "Live", "app"),
    Key("app.scores", "3", "pane('scores')", "Scores", "app"),
    Key("app.lengths", "4", "pane('lengths')", "Lengths", "app"),
    Key("app.responses", "5", "pane('responses')", "Responses", "app"),
    Key("app.start", "s", "start_runner", "Start the runner, when none serves", "app", "Start", writes=True),
    Key("app.palette", "ctrl+p", "command_palette", "Find a command by name", "app", label="ctrl+p"),
    Key("app.theme", "T", "change_theme", "Choose a colour theme", "app"),
    Key("app.notices", "!", "notices", "Show the last notices", "app"),
    Key("app.help", "?,f1", "help", "These keys", "app", "Help", label="?"),
    Key("app.quit", "q", "quit", "Leave the screen; the runs go on", "app", "Quit"),
    Key("app.quit_now", "ctrl+q", "quit", "Leave the screen from anywhere", "app", priority=True),
)


def of(screen: str) -> tuple[Key, ...]:
    """The keys of one screen, in the order of the help."""
    return tuple(key for key in KEYS if key.screen == screen)


def bindings(screen: str) -> list[BindingType]:
    """Textual's bindings of one screen."""
    return [
        Binding(
            key.key,
            key.action,
            key.footer or key.description,
            show=bool(key.footer),
            key_display=key.label or None,
            priority=key.priority,
            id=key.id,
        )
        for key in of(screen)
    ]


def writing(screen: str) -> frozenset[str]:
    """The actions of a screen that a read-only one does not offer."""
    return frozenset(key.action.partition("(")[0] for key in of(screen) if key.writes)
