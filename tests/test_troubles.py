"""docs/troubles.md has a row for every message that an operator can meet, and no row beside them.

Messages are read out of the source, `…` for what varies. A new message fails here until the page
tells its cause and its cure.
"""

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "troubles.md"
HOLE = "…"

PROGRAMS = (
    *("bentos/**/*.py", "infra/**/*.py", "tools/setup/*.py"),
    *(
        "service/*.py",
        "service/contract/*.py",
        "service/runtimes/*.py",
        "service/api/docs.py",
        "service/api/info.py",
    ),
    *("loadtests/*.py", "loadtests/report/__main__.py", "cameratraps/*.py"),
)
SCRIPTS = ("tools/setup/*.sh", "Makefile")

NO_MESSAGES = {
    "cameratraps/page.py": "draws the page of a run",
    "cameratraps/progress.py": "tells how a run goes",
    "bentos/demand/evaluate.py": "measures; its words go onto the model's card",
    "bentos/energy/evaluate.py": "measures; its words go onto the model's card",
    "bentos/octagon/evaluate.py": "measures; its words go onto the model's card",
    **dict.fromkeys(
        [f"bentos/pages/{n}.py" for n in ("metrics", "plot", "text")], "words of the models' pages"
    ),
    "bentos/precision/measure.py": "measures; its words go onto the page of precision",
    "bentos/precision/page.py": "words of that page",
    "bentos/precision/variants.py": "says on that page why there is no such form",
    "bentos/reproduce/report.py": "words of the report; its lines are bentos/reproduce/remade.py's",
    **dict.fromkeys(
        [
            f"infra/commands/{n}"
            for n in (
                "backends",
                "clock",
                "edge",
                "files",
                "floating",
                "frontends",
                "groups",
                "haproxy",
                "packages",
                "ports",
                "problems",
                "replica",
                "rotation",
            )
        ]
        + [f"infra/commands/{n}" for n in ("remote", "startup", "survey")],
        "makes command lines and files for hosts",
    ),
    "infra/demo.py": "prints where the service answers",
    "infra/doctor/": "finds; docs/doctor.md has every finding, which tests/infra/doctor compares",
    "infra/provider/live.py": "writes and reads the record of what is live",
    "infra/reference.py": "writes documentation; tells developers to run it again",
    "loadtests/evidence.py": "checks what our own code puts into a verdict",
    "loadtests/figures.py": "names reasons, which loadtests/reasons.py words",
    "loadtests/junit.py": "repeats the verdict in another format",
    "loadtests/progress.py": "tells how a load test goes",
    "service/auth.py": "answers clients, with problem documents",
    "service/batching.py": "tells the HTTP side that a queue is full",
}
"""Code whose texts no operator acts on."""

NO_ROW = {
    "set … by hand.": "inside a row's message",
    "rollout.pin: …": "what make rollback writes, inside a line that says so",
    'git commit -m "…" …': "what to type next",
    "the change would have changed something else": "a reason, inside a row's message",
    "it has no …": "the same",
    "there is nothing beside which it could be written": "the same",
    "nothing is pinned in a place that can be found": "the same",
    "it is no YAML": "the same",
    "it has no … as a mapping": "the same",
    "rolled back … by …": "what make releases says of a release",
    "…: release … has all the traffic on … (… s); … was live before": "what make rollback did",
    "…. Not there: …": "names the hosts that another line has explained",
    "timestamp: should be a datetime (got …)": "rows are checked before they are encoded",
    "…: takes rows, not photos.": "only called for models that take photos",
    "replica number: must be 1 to … (got …).": "the configuration refuses more replicas",
    "must be a whole number from … to … (got …)": "the configuration refuses the same before",
    "must not be empty (got none)": "the configuration refuses the same before",
    "must be 12 hex digits (got …)": "the program makes the release's id itself",
    "…, made …: as recorded": "what `make data` says when all is well",
    "…: made again in … s: … metrics differ by … at most, … golden values by …": "how it went",
    "…: release …, weight … %, live since …": "what `make status` says when all is well",
    "the floating address … is here": "what make status prints",
    "… on …, pid …, since …": "names who holds a lock, inside a row's message",
    "… photos, … without an answer…": "how a run of make photos went",
    "walk: no way leads from … to ….": "a fault of ours, told as `the walk broke off`",
    "unknown content": "why a line is damaged, inside a row's message",
    "… bytes unpacked": "why metadata is refused, inside a row's message",
    "no images, annotations and categories": "the same",
    "nobody that could be read": "stands for that name",
    "a mapping": "stands for a value, inside a row's message",
    "a private key": "the same",
    "/etc/machine-id is empty": "why a machine has no id, inside a row's message",
    "the agent's keys and those in ~/.ssh": "names keys, inside a row's message",
    "it ended without an exit status": "why a line counts as cut, inside a row's message",
    "no session was to be had": "the same",
    "…: out; nobody looked": "what make status says of a host that takes no part",
    "a file command": "names a command, inside a row's message",
    "Permission denied": "stands for a reason, inside a row's message",
    "it said nothing": "stands for a last line, inside a row's message",
    "it is no text": "stands for a reason, inside a row's message",
    "no message": "stands for a last line, inside a row's message",
    "no answer in … s": "an engine's silence, inside a row's message",
    "unknown to the edge": "the edge's word for a replica, explained in its row",
    "show ssl cert …": "a command for the edge",
    "show ssl ca-file …": "the same",
    "UCI data set 849, … in BENTOFLEET_DATA_DIR": "names the data's source on the card",
}
"""Messages that no operator can meet, or that are none, each with its reason."""

LEAST, LEAST_RETURNED = 6, 8
"""Fixed letters of a message: what has fewer only joins others, as `…: …` does. More are asked of
what a function returns, which may be anything."""

ENOUGH = 10
"""Fixed letters from which a text may match as a pattern; shorter ones match word for word."""

_SAYS = re.compile(r"stderr\.write$|\.(warn|warning|error|append|finish)$")
_TABLES = ("msg", "ENGLISH", "_WRONG", "_ENGINE_CURES", "_FOLDER_CURES")
_WORDS = re.compile(r"[a-z…)]:? [a-z…]")
_FORMAT = re.compile(r"%[.\d]*[sdfr]|\{\w+\}")
_VARIABLE = r"\$\{[^}]*\}|\$\([^)]*\)|\$\w+"
_SHELL = re.compile(rf'\b(?:fail |why=|echo )"((?:{_VARIABLE}|[^"$])*)"')


def letters(text: str) -> int:
    """Letters that do not vary."""
    return sum(c.isalpha() for c in text)


def tidy(text: str) -> str:
    """On one line, without backticks, and one hole where several meet."""
    return re.sub(rf"{HOLE}( ?{HOLE})+", HOLE, " ".join(text.replace("`", "").split()))


def covers(row: str, message: str) -> bool:
    """Whether a row quotes a message, perhaps inside another, or is a pattern that it fits."""
    row, message = row.lower(), message.lower()
    words = message.strip(HOLE + ":() ")
    if HOLE not in words and letters(words) >= LEAST and words in row:
        return True
    if letters(message) >= ENOUGH and _pattern(message).search(row):
        return True
    inner = row.removeprefix(f"{HOLE}: ").removesuffix(".")  # another message puts these round it
    fits = any(_pattern(text).fullmatch(message) for text in (row, inner))
    return row == message or (letters(row) >= ENOUGH and fits)


@functools.cache
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(".+?".join(re.escape(part) for part in text.split(HOLE)))


class Source:
    """The texts of one module."""

    def __init__(self, path: Path) -> None:
        self.tree = ast.parse(path.read_text())
        self.constants: dict[str, str] = {}
        for node in self.tree.body:
            match node:
                case (
                    ast.Assign(targets=[ast.Name(id=name)], value=value)
                    | ast.AnnAssign(target=ast.Name(id=name), value=value)
                ) if text := self.text(value):
                    self.constants[name] = text

    def text(self, node: ast.AST | None) -> str:
        """A string expression as a message; empty where it is none."""
        match node:
            case ast.Constant(value=str(text)):
                return tidy(_FORMAT.sub(HOLE, text))
            case ast.JoinedStr(values=parts):
                return tidy("".join(map(self._part, parts)))
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return tidy(f"{self.text(left) or HOLE} {self.text(right) or HOLE}")
            case ast.Call(func=ast.Name(), args=[first]):
                return self.text(first)
        return ""

    def _part(self, part: ast.expr) -> str:
        match part:
            case ast.Constant(value=str(text)):
                return text
            case ast.FormattedValue(value=ast.Name(id=name)):
                return self.constants.get(name, HOLE)
            case ast.FormattedValue(value=ast.Call(args=[ast.JoinedStr()]) as called):
                return self.text(called)
        return HOLE

    def below(self, node: ast.AST | None) -> Iterator[str]:
        """The whole texts in an expression: no keys, no keywords, nothing from inside a text."""
        if text := self.text(node):
            yield text
            return
        match node:
            case ast.Dict(values=parts) | ast.List(elts=parts) | ast.Tuple(elts=parts):
                pass
            case ast.Call(args=parts, keywords=[]) | ast.BoolOp(values=parts):
                pass
            case ast.IfExp(body=one, orelse=other):
                parts = [one, other]
            case ast.Starred(value=part) | ast.ListComp(elt=part):
                parts = [part]
            case _:
                parts = []
        for part in parts:
            yield from self.below(part)

    def messages(self) -> Iterator[str]:
        """What it raises, yields, warns of or writes to stderr; what it returns, if in words."""
        for node in ast.walk(self.tree):
            match node:
                case ast.Raise(exc=value) | ast.Yield(value=value):
                    yield from self.below(value)
                case ast.Call(func=called, args=given) if _SAYS.search(ast.unparse(called)):
                    for value in given:
                        yield from self.below(value)
                case (
                    ast.Assign(targets=[ast.Name(id=name)], value=value)
                    | ast.AnnAssign(target=ast.Name(id=name), value=value)
                ) if name in _TABLES:
                    yield from self.below(value)
                case ast.Assign(targets=[ast.Name(id=name)]) if name.isupper():
                    pass
                case ast.Return(value=value) | ast.Assign(value=value):
                    yield from filter(_is_told, self.below(value))


def _is_told(text: str) -> bool:
    return letters(text) >= LEAST_RETURNED and _WORDS.search(text) is not None


def _files(patterns: tuple[str, ...]) -> Iterator[Path]:
    for path in sorted(path for pattern in patterns for path in ROOT.glob(pattern)):
        if not str(path.relative_to(ROOT)).startswith(tuple(NO_MESSAGES)):
            yield path


def _messages() -> dict[str, str]:
    """Every message, with the file that it was found in."""
    found = {
        text: str(path.relative_to(ROOT))
        for path in _files(PROGRAMS)
        for text in Source(path).messages()
    }
    for path in _files(SCRIPTS):
        for text in _SHELL.findall(path.read_text()):
            found[tidy(re.sub(_VARIABLE, HOLE, text))] = str(path.relative_to(ROOT))
    return {text: where for text, where in found.items() if letters(text) >= LEAST and " " in text}


def _rows() -> list[str]:
    """The messages on the page, without Pulumi's own, which are not in our code."""
    ours = PAGE.read_text().partition("\n## Pulumi's own lines")[0]
    return re.findall(r"^\| `([^`]+)` \|", ours, re.MULTILINE)


MESSAGES, ROWS = _messages(), _rows()


def test_every_message_that_an_operator_can_meet_has_a_row() -> None:
    missing = [
        f"{where}: {text}"
        for text, where in MESSAGES.items()
        if text not in NO_ROW and not any(covers(row, text) for row in ROWS)
    ]
    assert missing == []


def test_every_row_quotes_the_code() -> None:
    assert [row for row in ROWS if not _is_quoted(row)] == []


def _is_quoted(row: str) -> bool:
    """Whether two thirds of its words come from messages that it covers; the rest may be names."""
    words = re.findall(r"\w+", row.replace("(got", "("))  # which almost every message has
    quoted = {w for text in MESSAGES if covers(row, text) for w in re.findall(r"\w+", text)}
    return 3 * sum(word in quoted for word in words) >= 2 * len(words)


def test_no_row_stands_there_twice() -> None:
    assert sorted(ROWS) == sorted(set(ROWS))


def test_every_exclusion_is_still_a_message_of_the_code() -> None:
    assert [text for text in NO_ROW if text not in MESSAGES] == []


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("…", "…: port … is taken. Free it, or choose another edge.port."),
        ("…: … (got …).", "…: is no YAML (…). Correct it."),
        ("…: port … is taken. Free it.", "…: port … is taken. Free it, or choose another."),
        ("…: is no YAML (…).", "…: …"),
        ("…: is no YAML (…).", "…: is no JSON (…)."),
    ],
    ids=["hole alone", "holes and few letters", "half", "message without words", "other words"],
)
def test_a_row_does_not_cover_a_message_that_it_does_not_tell(row: str, message: str) -> None:
    assert not covers(row, message)
