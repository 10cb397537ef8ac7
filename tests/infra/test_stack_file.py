"""A stack's file, read without the engine."""

from pathlib import Path

import pytest

from infra import stack_file
from infra.config import ConfigError

GOOD = """\
config:
  bentofleet:stack:
    kind: local
    hosts: [{name: here, address: 127.0.0.1, connection: local}]
"""


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(stack_file, "ROOT", tmp_path)
    return tmp_path


def test_a_stack_leads_to_its_hosts(root: Path) -> None:
    (root / "Pulumi.lab.yaml").write_text(GOOD)

    _, hosts = stack_file.hosts("lab")

    assert [(h.name, h.stack) for h in hosts] == [("here", "lab")]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("config: {}\nconfig: {}\n", "line 2: the key config stands there for the second time"),
        (
            GOOD + "  bentofleet:stack: {}\n",
            "line 5: the key bentofleet:stack stands there for the second time",
        ),
        (
            GOOD + "    edge: {port: 8080}\n    edge: {port: 9090}\n",
            "line 6: the key edge stands there for the second time",
        ),
        (
            GOOD + "    edge: {port: 8080, 'port': 9090}\n",
            "line 5: the key port stands there for the second time",
        ),
    ],
    ids=["the whole", "the stack", "a part", "one key, with quotes"],
)
def test_a_key_that_stands_twice_is_refused_with_its_line(root: Path, text: str, line: str) -> None:
    (root / "Pulumi.lab.yaml").write_text(text)

    with pytest.raises(ConfigError) as caught:
        stack_file.load("lab")

    assert caught.value.lines == [f"Pulumi.lab.yaml: is no YAML ({line}). Correct it."]


def test_a_key_that_is_a_list_is_no_reason_for_a_traceback(root: Path) -> None:
    (root / "Pulumi.lab.yaml").write_text("? [a, b]\n: 1\n")

    with pytest.raises(ConfigError, match="is no YAML"):
        stack_file.load("lab")


def test_a_name_that_cannot_be_a_folder_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^stack: its name cannot be used \(got 'latest'\)"):
        stack_file.load("latest")


def test_a_stack_that_does_not_exist_is_told_with_those_that_do(root: Path) -> None:
    (root / "Pulumi.yaml").write_text("name: bentofleet")
    for name in ("lab", "lab.eu", "local.example"):
        (root / f"Pulumi.{name}.yaml").write_text(GOOD)

    with pytest.raises(ConfigError) as caught:
        stack_file.load("x")

    assert caught.value.lines == [
        "Pulumi.x.yaml: there is no such stack. Choose one with STACK=… (there is: lab, lab.eu)."
    ]


def test_words_and_numbers_are_what_pulumi_takes_them_for(root: Path) -> None:
    more = "    service: {auth: off, docs: False}\n    slo: {latency_p95_ms: 1.5e2, min_rps: 2e1}\n"
    (root / "Pulumi.lab.yaml").write_text(GOOD + more)

    stack = stack_file.load("lab")

    assert (stack.service.auth, stack.service.docs) == ("off", False)
    assert (stack.slo.latency_p95_ms, stack.slo.min_rps) == (150, 20)


def test_a_word_for_yes_or_no_is_refused_as_pulumi_s_run_refuses_it(root: Path) -> None:
    (root / "Pulumi.lab.yaml").write_text(GOOD + "    service: {docs: no}\n")

    with pytest.raises(ConfigError, match=r"docs: is neither true nor false \(got 'no'\)"):
        stack_file.load("lab")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("config: [", "Pulumi.lab.yaml: is no YAML (line 1: "),
        ("config:\n  a: b: c\n", "Pulumi.lab.yaml: is no YAML (line 2: mapping values"),
        ("config:\n\ta: b\n", "Pulumi.lab.yaml: is no YAML (line 2: found character"),
        ("[" * 5000, "Pulumi.lab.yaml: is no YAML ("),
        ("just words", "Pulumi.lab.yaml: has no `bentofleet:stack` under `config`"),
        ("config: {'bentofleet:stack': }", "bentofleet:stack: is no mapping (got null)"),
        ("", "Pulumi.lab.yaml: has no `bentofleet:stack` under `config`"),
        ("config: {}", "Pulumi.lab.yaml: has no `bentofleet:stack` under `config`"),
        ("config: {'bentofleet:stack': {kind: moon}}", "bentofleet:stack.kind: is not known"),
    ],
    ids=[
        "cut off",
        "two colons",
        "a tab",
        "too deep",
        "words",
        "no value",
        "empty",
        "without a stack",
        "with a wrong stack",
    ],
)
def test_a_file_that_cannot_be_used_gets_one_line(root: Path, text: str, line: str) -> None:
    (root / "Pulumi.lab.yaml").write_text(text)

    with pytest.raises(ConfigError) as caught:
        stack_file.load("lab")

    assert caught.value.lines[0].startswith(line)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"config: \xe9"])
def test_a_file_that_is_no_text_gets_one_line(root: Path, content: bytes) -> None:
    (root / "Pulumi.lab.yaml").write_bytes(content)

    with pytest.raises(ConfigError) as caught:
        stack_file.load("lab")

    (line,) = caught.value.lines
    assert line.startswith("Pulumi.lab.yaml: is no YAML (")
    assert "\n" not in line


def test_a_file_that_cannot_be_read_gets_one_line(root: Path) -> None:
    (root / "Pulumi.lab.yaml").mkdir()

    with pytest.raises(ConfigError) as caught:
        stack_file.load("lab")

    assert caught.value.lines == ["Pulumi.lab.yaml: cannot be read (Is a directory). Correct that."]
