"""Write the parts of the docs that the code knows best.

A generated part stands in its page between two comments that name it; everything around it is
written by hand. `python docs/generate.py` rewrites the parts in place, `--check` only tells
whether a page has drifted from the code (exit 1).
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
import textwrap
from collections.abc import Callable, Iterable
from functools import partial
from importlib import import_module
from pathlib import Path

import ezra
from ezra.sansio.access import Role
from ezra.sansio.commands import TABLE
from ezra.sansio.commands.base import CommandSpec
from ezra.sansio.connection_state import TRANSITIONS as SESSION_TRANSITIONS
from ezra.sansio.model import Status
from ezra.sansio.queue.lifecycle import MEANINGS, TRANSITIONS, Event
from ezra.sansio.rights import may

DOCS = Path(__file__).parent
ROOT = Path(ezra.__file__).parents[1]
sys.path.insert(0, str(ROOT))  # the tests' tables of cases stand beside the package
EXAMPLE = DOCS.parent / "examples" / "asyncio_server.py"
CLIENTS = ROOT / "tests" / "clients"
PART = re.compile(r"(<!-- generated: (?P<name>[\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
QUOTE = re.compile(
    r"(<!-- quoted: (?P<file>[\w/.-]+) (?P<marks>[\w, -]+) -->\n).*?(<!-- end -->)", re.DOTALL
)


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a Markdown table."""
    header = list(header)
    lines = [header, ["---"] * len(header), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def lifecycle_diagram() -> str:
    """Draw the lifecycle's table as a Mermaid state diagram."""
    arrows = "".join(
        f"    {_node(before)} --> {_node(after)}: {event.value}\n"
        for (before, event), after in TRANSITIONS.items()
    )
    return f"```mermaid\nstateDiagram-v2\n{arrows}```\n"


def _node(status: Status) -> str:
    return "[*]" if status is Status.ABSENT else status.value


def lifecycle_transitions() -> str:
    """List every legal transition."""
    rows = (
        (f"`{before}`", event.value, f"`{after}`", MEANINGS[event])
        for (before, event), after in TRANSITIONS.items()
    )
    return table(("from", "event", "to", "when, and what changes"), rows)


def lifecycle_by_status() -> str:
    """Say of every status who puts a task there and who takes it out."""
    rows = (
        (
            f"`{status}`",
            _events(e for (_, e), after in TRANSITIONS.items() if after is status),
            _events(e for (before, e) in TRANSITIONS if before is status),
        )
        for status in Status
    )
    return table(("status", "entered by", "left by"), rows)


def _events(events: Iterable[Event]) -> str:
    return ", ".join(dict.fromkeys(event.value for event in events))


FAMILIES = {
    "queue": "Tasks and queues",
    "transactions": "Transactions",
    "keys": "Queues as keys",
    "ezra": "EZRA's own",
    "connection": "The connection itself",
    "server": "The server",
}
"""The titles of the commands' families, in the order in which a reader needs them."""

ERROR = re.compile(r"[A-Z]+ ")
"""How the text of an error reply begins: `ERR `, `NOPROTO `. Other replies say their type first."""


def command_list() -> str:
    """List every command with its arguments, summary and replies, family by family.

    Raises:
        KeyError: a family has no title.
    """
    families: dict[str, list[str]] = {title: [] for title in FAMILIES.values()}
    for command in TABLE.values():
        families[FAMILIES[command.SPEC.group]].append(_command(command.SPEC))
    return "\n".join(f"### {title}\n\n" + "\n".join(them) for title, them in families.items())


def _command(spec: CommandSpec) -> str:
    call = f"{spec.name} {spec.arguments}".rstrip()
    replies = "".join(f"- {_reply(reply)}\n" for reply in spec.replies)
    return f"#### {spec.name}\n\n```\n{call}\n```\n\n{spec.summary}\n\n{replies}"


def _reply(reply: str) -> str:
    """Show an error's text as it is on the wire, with names where `str.format` fills them in."""
    if not ERROR.match(reply):
        return reply
    text = re.sub(r"{(\w+)}", r"<\1>", reply)
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def reply_shapes() -> str:
    """Show each reply of the tests' table of cases, family by family."""
    families = import_module("tests.property.commands.shape_cases").FAMILIES
    header = ("sent", "read in RESP2", "in RESP3, where it differs")
    return "\n".join(
        f"### {title}: replies\n\n"
        + table(header, ([_cell(c.line), _cell(c.resp2), _cell(c.resp3)] for c in cases))
        for title, cases in families.items()
    )


def error_texts() -> str:
    """Show each error of the tests' table of cases, with one command that is answered so."""
    errors = import_module("tests.property.commands.error_cases").ERRORS
    first = {(line.split()[0].upper(), text): line for line, text in reversed(errors.items())}
    shown = [(line, text) for (_, text), line in reversed(first.items()) if len(line) < LONG_LINE]
    return table(("sent", "read"), ([_cell(line), _cell(f"-{text}")] for line, text in shown))


LONG_LINE = 100
"""Characters of a command that was sent for its length; the list of replies says it shorter."""


def _cell(text: str) -> str:
    """Show a text as code within a table's cell."""
    quote_ = "``" if "`" in text else "`"
    inner = text.strip().replace("|", "\\|")
    return f"{quote_}{inner}{quote_}" if inner else ""


def session_transitions() -> str:
    """List every legal step of a connection."""
    rows = (
        (f"`{state.value}`", given.value, f"`{after.value}`")
        for (state, given), after in SESSION_TRANSITIONS.items()
    )
    return table(("from", "input", "to"), rows)


ROLES: dict[str, Callable[[str], bool]] = {
    "before the password": lambda name: may(Role.NOBODY, name),
    "`push` and `work`": lambda name: may(Role.PUSH, name) and may(Role.WORK, name),
    "`push`": lambda name: may(Role.PUSH, name),
    "`work`": lambda name: may(Role.WORK, name),
    "`default` alone": lambda _: True,
}
"""Who may send a command; the first that fits is where it is listed."""


def roles() -> str:
    """List what each role may send, each command once."""
    found: dict[str, list[str]] = {title: [] for title in ROLES}
    for name in sorted(TABLE):
        found[next(title for title, fits in ROLES.items() if fits(name))].append(f"`{name}`")
    return table(("who", "may send"), ((who, ", ".join(names)) for who, names in found.items()))


def excerpt(name: str) -> str:
    """Quote one function of the asyncio example.

    Raises:
        KeyError: the example has no such function.
    """
    lines = EXAMPLE.read_text().splitlines()
    found = {
        node.name: lines[node.lineno - 1 : node.end_lineno]
        for node in ast.walk(ast.parse("\n".join(lines)))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    return "```py\n" + textwrap.dedent("\n".join(found[name])) + "\n```\n"


PASSAGE = re.compile(
    r"^[^\n]*\[(?P<mark>\w+)\][^\n]*\n(?P<text>.*?)^[^\n]*\[/(?P=mark)\]", re.DOTALL | re.MULTILINE
)
LANGUAGES = {".py": "python", ".mjs": "js", ".rb": "ruby", ".pl": "perl"}
"""What Markdown calls a language where its files have another suffix."""


def quote(name: str, marks: str) -> str:
    """Quote the marked passages of a client's program: from `[mark]` to `[/mark]` in its comments.

    Args:
        name: the file, below tests/clients.
        marks: what its passages are called, with commas between them.

    Raises:
        KeyError: the file has no such passage.
    """
    path = CLIENTS / name
    found = {
        passage["mark"]: textwrap.dedent(passage["text"]).strip("\n")
        for passage in PASSAGE.finditer(path.read_text())
    }
    passages = [found[mark] for mark in marks.split(", ")]
    gap = "\n\n\n" if path.suffix == ".py" else "\n\n"
    return f"```{LANGUAGES.get(path.suffix, path.suffix[1:])}\n" + gap.join(passages) + "\n```\n"


PARTS: dict[str, Callable[[], str]] = {
    "lifecycle-diagram": lifecycle_diagram,
    "lifecycle-transitions": lifecycle_transitions,
    "lifecycle-by-status": lifecycle_by_status,
    "commands": command_list,
    "reply-shapes": reply_shapes,
    "error-texts": error_texts,
    "session-transitions": session_transitions,
    "roles": roles,
    "example-turn": partial(excerpt, "_turn"),
    "example-wait": partial(excerpt, "_wait"),
    "example-watch": partial(excerpt, "_watch"),
    "example-send": partial(excerpt, "_send"),
    "example-settle": partial(excerpt, "_settle"),
    "example-command": partial(excerpt, "_carry_out"),
}


def render(page: str) -> str:
    """Return the page's text with every generated part made anew.

    Raises:
        KeyError: the page names a part that nobody generates.
    """
    page = PART.sub(lambda m: f"{m[1]}\n{PARTS[m['name']]()}\n{m[3]}", page)
    return QUOTE.sub(lambda m: f"{m[1]}\n{quote(m['file'], m['marks'])}\n{m[4]}", page)


def main() -> int:
    """Rewrite the pages, or check them; return the exit code."""
    parser = argparse.ArgumentParser(description="Generate parts of the docs from the code.")
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 on drift")
    check = parser.parse_args().check
    drifted = [p for p in sorted(DOCS.glob("*.md")) if render(p.read_text()) != p.read_text()]
    for page in drifted:
        if not check:
            page.write_text(render(page.read_text()))
        sys.stderr.write(f"{page.name}: {'has drifted from the code' if check else 'rewritten'}\n")
    return 1 if check and drifted else 0


if __name__ == "__main__":
    sys.exit(main())
