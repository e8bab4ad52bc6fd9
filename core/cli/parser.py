"""The command line's grammar."""

from __future__ import annotations

import argparse
from pathlib import Path

from core.cli.help import Parser, dressed
from core.engines.host.wire import Sampling
from core.jobs.engines import names as engines
from core.jobs.study import DEMO_LIMIT, FAMILY, SEEDS, STUDY_LIMIT
from core.spec import AUDIT_SHARE, POLICIES
from core.store.filters import ORDERS, VERDICTS

FORMATS = ("table", "csv", "markdown", "latex", "json", "html")


def build() -> argparse.ArgumentParser:
    """The parser of `lrm-tui`."""
    common = _common()
    printing = argparse.ArgumentParser(add_help=False)
    printing.add_argument("--json", action="store_true", help="print data as JSON")
    tabular = argparse.ArgumentParser(add_help=False, parents=[printing])
    tabular.add_argument("--format", choices=FORMATS, default="table", help="how to print (default table)")
    screen = _screen()
    parser = Parser("lrm-tui", description="What does compression do to reasoning models?", parents=[_common(), screen])
    parser.set_defaults(db=None, data=None, readonly=False, ascii=False, slow=False, mouse=True, theme=None)
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=argparse.ArgumentParser)

    demo = commands.add_parser(
        "demo", parents=[common, printing, screen], help="run the embedded model and what compression makes of it"
    )
    demo.add_argument("--headless", action="store_true", help="print progress and the tables instead of opening the app")
    demo.add_argument("--limit", type=int, default=DEMO_LIMIT, help=f"questions a benchmark (default {DEMO_LIMIT})")
    study = commands.add_parser(
        "study",
        parents=[common, printing],
        help="queue the demo in full: more questions and three seeds",
        description="Queue what of the study this store does not have yet: the embedded model, its quantizations and prunings "
        f"over the mini-suite, with the seeds {', '.join(map(str, SEEDS))}. Asked again, it goes on where it stood.",
    )
    study.add_argument("--limit", type=int, default=STUDY_LIMIT, help=f"questions a benchmark (default {STUDY_LIMIT})")
    study.add_argument("--models", nargs="+", choices=FAMILY, default=tuple(FAMILY), help="of the family (default all)")
    study.add_argument("--wait", action="store_true", help="follow until the runs have ended; exit 0 only if all finished")
    _add(commands.add_parser("add", parents=[common, printing], help="queue runs: models x compressions x benchmarks"))
    _sweep(commands.add_parser("sweep", parents=[common, printing], help="queue every compression that the paper compares"))
    commands.add_parser("ls", parents=[common, printing], help="list the queue")
    for name, text in (
        ("clone", "queue runs like earlier ones"),
        ("cancel", "cancel jobs; finished responses stay"),
        ("pause", "hold jobs back"),
        ("requeue", "let paused, failed or cancelled jobs go on"),
    ):
        commands.add_parser(name, parents=[common], help=text).add_argument(
            "jobs", type=int, nargs="+", metavar="JOB", help="numbers as in `lrm-tui ls`"
        )
    move = commands.add_parser("move", parents=[common], help="move a waiting job up or down the queue")
    move.add_argument("job", type=int, metavar="JOB", help="a number as in `lrm-tui ls`")
    move.add_argument("steps", type=int, metavar="STEPS", help="places: -1 is up by one, 2 is down by two")
    show = commands.add_parser("show", parents=[common, printing], help="show a job and its responses, or one response")
    show.add_argument("job", type=int, nargs="?", metavar="JOB", help="a number as in `lrm-tui ls`")
    show.add_argument("--response", type=int, metavar="ID", help="one whole response: prompt, thinking, answer, grade")
    _responses(commands.add_parser("responses", parents=[common, tabular], help="finished responses, filtered and searched"))
    _flag(commands.add_parser("flag", parents=[common], help="judge or mark responses by hand; the grader's verdict stays"))
    scores = commands.add_parser("scores", parents=[common, tabular], help="the score table")
    scores.add_argument("--published", action="store_true", help="the paper's and recorded numbers beside, with differences")
    lengths = commands.add_parser("lengths", parents=[common, tabular], help="scores of the shortest and longest outputs")
    lengths.add_argument("--q", type=float, default=30.0, help="percent at either end (default 30)")
    lengths.add_argument("--deciles", action="store_true", help="score by tenth of length instead")
    lengths.add_argument("--published", action="store_true", help="the paper's and recorded numbers beside, with differences")
    lengths.add_argument("--plot", action="store_true", help="plot the score by tenth of length in the terminal")
    collapse = commands.add_parser(
        "collapse", parents=[common, tabular], help="how often outputs ended in a loop, at what cost"
    )
    collapse.add_argument("--plot", action="store_true", help="plot score over sparsity of each pruned family in the terminal")
    scan = commands.add_parser(
        "scan",
        parents=[common, printing],
        help="look for repetition collapse in outputs that exist already",
        description="Exit code 0: no output has collapsed; 3: at least one has; 1 or 2: the outputs could not be read.",
    )
    scan.add_argument(
        "source",
        metavar="FILE|DIR|RUN",
        help="JSONL rows {id, output} (.gz too, - for standard input), a text file, a folder of text files, or a run's number",
    )
    scan.add_argument(
        "--max-tokens",
        type=int,
        default=Sampling().max_tokens,
        metavar="N",
        help=f"the limit under which the outputs were made (default {Sampling().max_tokens}); a run knows its own",
    )
    compare = commands.add_parser("compare", parents=[common, tabular], help="two variants on the same questions")
    for side in ("one", "other"):
        compare.add_argument(side, metavar=side.upper(), help="a variant's name or part of it, or a run's number")
    compare.add_argument("--benchmark", help="this benchmark only")
    compare.add_argument("--question", metavar="KEY", help="show how the two responses to this question differ")
    commands.add_parser("findings", parents=[common, tabular], help="the paper's claims, tested on one's own runs")
    recommend = commands.add_parser("recommend", parents=[common, tabular], help="which variant for a memory budget, and why")
    recommend.add_argument("--memory", required=True, help="such as 24GB or 80GiB")
    recommend.add_argument("--plot", action="store_true", help="plot the average over the size in the terminal")
    recommend.add_argument("--knowledge", action="store_true", help="what a model knows matters too (MuSiQue)")
    export = commands.add_parser(
        "export", parents=[common, printing], help="a report folder: HTML with plots, CSV, LaTeX, origin"
    )
    export.add_argument("folder", type=Path, metavar="FOLDER", help="a new or empty folder, or an older report to replace")
    export.add_argument("--without-published", action="store_true", help="leave the paper's and the recorded numbers out")
    regrade = commands.add_parser(
        "regrade", parents=[common, printing], help="grade finished responses again after a grader's rules changed"
    )
    regrade.add_argument("jobs", type=int, nargs="*", metavar="RUN", help="these runs only")
    regrade.add_argument("--dry-run", action="store_true", help="say what would change, and write nothing")
    _import(commands.add_parser("import", parents=[common, printing], help="outputs made elsewhere become runs"))
    backup = commands.add_parser(
        "backup",
        parents=[common, printing],
        help="copy the store while runs go on",
        description="To restore a copy: `lrm-tui runner stop`, move runs.db, runs.db-wal and runs.db-shm away, and copy the "
        "backup to runs.db.",
    )
    backup.add_argument(
        "destination", type=Path, metavar="DEST", help="a new file, or a folder in which it is named by the time"
    )
    runner = commands.add_parser("runner", parents=[common, printing], help="the background process that does the work")
    runner.add_argument("action", choices=("status", "start", "stop"), help="ask whether one serves, start it, or stop it")
    doctor = commands.add_parser("doctor", parents=[common, printing], help="what is installed and what works")
    doctor.add_argument("--fix", action="store_true", help="do what is missing, saying so first")
    settings = commands.add_parser("settings", parents=[common, printing], help="what is set, and where it is set")
    settings.add_argument("--init", action="store_true", help="write a settings file that documents every setting")
    completion = commands.add_parser(
        "completion",
        parents=[common],
        help="print a script that completes commands and options in a shell",
        description="For good: in bash, put the example into ~/.bashrc; in zsh, write the script to a file _lrm-tui in a "
        "folder of $fpath; in fish, write it to ~/.config/fish/completions/lrm-tui.fish.",
    )
    completion.add_argument("shell", choices=("bash", "zsh", "fish"), help="the shell that reads the script")
    return dressed(parser)


class _Version(argparse.Action):
    """Reads the version when it is asked for, since looking up a package takes longer than the parser."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"{parser.prog} {version('lrm-tui')}")
        parser.exit()


def _common() -> argparse.ArgumentParser:
    """Options before or after a command. The parser and its commands share no action: a default set on one would be both's."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--db", type=Path, default=argparse.SUPPRESS, help="the store (default: LRM_DB, else runs.db here)")
    common.add_argument("--data", type=Path, default=argparse.SUPPRESS, help="folder of real benchmark files (LRM_DATA)")
    return common


def _screen() -> argparse.ArgumentParser:
    """How the workbench is opened."""
    parser = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    group = parser.add_argument_group("the screen")
    group.add_argument("--readonly", action="store_true", help="show everything, change nothing")
    group.add_argument("--ascii", action="store_true", help="draw with ASCII alone")
    group.add_argument("--slow", action="store_true", help="send less, for slow lines: fewer updates, no sparklines")
    group.add_argument("--no-mouse", dest="mouse", action="store_false", help="leave the mouse to the terminal")
    group.add_argument("--theme", metavar="NAME", help="colours: textual-dark, nord, ..., ansi-dark (the terminal's own)")
    return parser


def _add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", action="append", required=True, help="pocket, smollm2, a folder or a .gguf (repeatable)")
    parser.add_argument(
        "--compression",
        action="append",
        help="none, q4_0, magnitude-50, sparsegpt-50+q4_0, dynamic-1.58, ...; or several at once: pruned, dynamic, sweep "
        "(repeatable; none)",
    )
    parser.add_argument(
        "--benchmark", action="append", required=True, help="aime, folio, temporal, musique, pocket-... (repeatable)"
    )
    _run(parser)


def _sweep(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Queue the model itself, SparseGPT at 10, 30, 40, 50, 60, 70 and 80 percent and the four dynamic recipes on every "
        "benchmark: each variant is made, then scored. The same as `add --compression sweep`."
    )
    parser.set_defaults(compression=["sweep"])
    parser.add_argument("model", nargs=1, metavar="MODEL", help="pocket, or a folder in Hugging Face format")
    parser.add_argument(
        "--benchmark", action="append", help="repeatable (the paper's four; for the embedded model the mini-suite's)"
    )
    _run(parser)


def _run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--calibration",
        default="",
        metavar="TEXT",
        help="what to calibrate on where a compression names nothing: c4, traces, pocket or a file, traces-128x2048 how much "
        "(c4; for the embedded model pocket)",
    )
    parser.add_argument(
        "--engine", choices=engines(), default=engines()[0], help=f"what runs the model (default {engines()[0]})"
    )
    parser.add_argument("--limit", type=int, help="ask only the first N questions")
    parser.add_argument("--max-tokens", type=int, help=f"limit on new tokens (default {Sampling().max_tokens}; pocket 1024)")
    parser.add_argument(
        "--temperature",
        type=float,
        default=Sampling().temperature,
        help=f"0 takes the likeliest token (default {Sampling().temperature:g})",
    )
    parser.add_argument(
        "--top-p",
        type=float,
        default=Sampling().top_p,
        help=f"probability mass that is drawn from (default {Sampling().top_p:g})",
    )
    parser.add_argument("--top-k", type=int, default=Sampling().top_k, help="draw from the K likeliest tokens (0: from all)")
    parser.add_argument(
        "--min-p", type=float, default=Sampling().min_p, help="drop what is less likely than P times the likeliest"
    )
    parser.add_argument("--stop", action="append", default=[], metavar="TEXT", help="end a response at this text (repeatable)")
    parser.add_argument("--gpus", type=int, metavar="N", help="GPUs that each engine takes (default: 1 where there are any)")
    parser.add_argument(
        "--replicas", type=int, default=1, metavar="N", help="engines that share a run's questions, each on GPUs of its own (1)"
    )
    parser.add_argument("--seed", type=int, default=0, help="start of the random numbers (default 0)")
    parser.add_argument(
        "--policy",
        choices=POLICIES,
        default=POLICIES[0],
        help="on a repetition collapse: stop, but let a drawn share run on (audit, the default); stop; observe to the limit",
    )
    parser.add_argument(
        "--audit-share",
        type=float,
        default=AUDIT_SHARE,
        metavar="SHARE",
        help=f"share of the collapsed responses that run on (default {AUDIT_SHARE:g})",
    )
    parser.add_argument("--prompts", type=Path, help="a TOML file of prompts of your own")
    parser.add_argument("--wait", action="store_true", help="follow until the runs have ended; exit 0 only if all finished")
    parser.add_argument(
        "--dry-run", action="store_true", help="queue nothing: say sizes, whether they fit, and how long it takes"
    )


def _responses(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "filter", nargs="*", metavar="FILTER", help="as in the screen: wrong benchmark:aime variant:q4 words:>2000 WORDS ..."
    )
    parser.add_argument("--search", default="", metavar="TEXT", help='words in the text; "several in quotes", begin*')
    parser.add_argument("--verdict", choices=VERDICTS, default="all", help="reviewed: judged or flagged by hand")
    parser.add_argument("--job", type=int, help="responses of this run")
    parser.add_argument("--variant", default="", help="a part of the name of model and compression")
    parser.add_argument("--benchmark", default="", help="responses to this benchmark")
    parser.add_argument("--item", default="", metavar="KEY", help="responses to this question")
    parser.add_argument("--min-words", type=int, metavar="N", help="of thinking and answer")
    parser.add_argument("--max-words", type=int, metavar="N", help="of thinking and answer")
    parser.add_argument("--order", choices=ORDERS, default="newest", help="which come first (default newest)")
    parser.add_argument("--limit", type=int, default=50, metavar="N", help="print at most N (default 50)")


def _flag(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("responses", type=int, nargs="+", metavar="ID", help="numbers as in `lrm-tui responses`")
    parser.add_argument("--verdict", choices=("correct", "wrong", "graded"), help="by hand; graded: the grader's counts again")
    parser.add_argument("--unflag", action="store_true", help="take the mark away; without --verdict the response is marked")
    parser.add_argument("--note", default="", help="why")


def _import(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths",
        type=Path,
        nargs="+",
        metavar="PATH",
        help="rows {model, benchmark, item, output, ...} as .jsonl, a folder MODEL/BENCHMARK of 0.txt, 1.txt, ..., sample logs "
        "of lm-evaluation-harness, logs of Inspect",
    )
    parser.add_argument("--model", help="the model, where rows or folders do not name it")
    parser.add_argument("--benchmark", help="the benchmark, likewise")
    parser.add_argument("--compression", help="what was done to the model, such as awq-4bit or sparsegpt-50 (none)")
    parser.add_argument("--parameters", help="such as 8B")
    parser.add_argument("--bits-per-weight", type=float, metavar="BITS", help="such as 4.25; sizes in `recommend` need it")
    parser.add_argument("--finish-reason", choices=("stop", "length"), help="how every output ended, where that is known")
