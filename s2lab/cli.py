"""The command line: words in, an exit code out. The commands are in `commands/`.

Exit codes: 0 done, 1 a check failed, 2 something the user can put right (one line on stderr),
130 interrupted. S2LAB_DEBUG=1 shows the traceback behind an error line.
"""

import contextlib
import io
import os
import re
import signal
import sys
from collections.abc import Sequence
from types import FrameType

import tyro

from s2lab import __version__
from s2lab.causal.errors import InputError
from s2lab.commands import (  # noqa: F401  # importing registers them
    bench,
    causal,
    demo,
    demos,
    features,
    imitation,
    inside,
    play,
    results,
    sweeping,
    tracking,
    training,
)
from s2lab.commands.registry import app, note_words
from s2lab.errors import UserError

DESCRIPTION = "s2lab: a laboratory for system-2 agents and causal discovery."


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    words = sys.argv[1:] if words is None else list(words)
    if words and words[0] in ("--version", "-V"):
        print(f"s2lab {__version__}")
        return 0
    note_words(words)
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            call = app.cli(
                prog="s2lab",
                description=DESCRIPTION,
                args=words or ["--help"],
                config=(tyro.conf.FlagCreatePairsOff,),
            )
    except SystemExit as stop:
        if not stop.code:
            return 0
        return refuse(one_line(complaint.getvalue(), words))
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return call() or 0
    except (UserError, InputError) as error:
        if os.environ.get("S2LAB_DEBUG"):
            raise
        return refuse(" ".join(str(error).split()))
    except KeyboardInterrupt:
        print("s2lab: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output left, as `| head` does
        sys.stderr.close()
        return 0


def refuse(line: str) -> int:
    """Say what is wrong in one line."""
    print(f"s2lab: {line}", file=sys.stderr)
    return 2


def one_line(box: str, words: Sequence[str]) -> str:
    """tyro's framed complaint as one line with the nearest option and the help to ask for."""
    sections = [""]
    for row in box.splitlines():
        text = row.strip("│|+ ")
        if set(text) <= set("─- "):
            sections.append("")
        elif not text.startswith(("╭", "╰")):
            sections[-1] += f" {text}"
    sections = [section for section in sections if section]
    if not box.startswith("╭"):  # without box characters the title is a section of its own
        del sections[0]
    line = sections[0].strip()
    for section in sections[1:]:
        if "Perhaps you meant" in section and (near := re.search(r"--[\w-]+", section)):
            line += f"; did you mean {near[0]}?"
        elif "Available subcommands" in section:
            line += f"; {section.strip()[0].lower()}{section.strip()[1:]}"
    known = [word for word in words[:1] if not word.startswith("-") and word in app._subcommands]
    return f"{line}  ({' '.join(['s2lab', *known, '--help'])})"


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
