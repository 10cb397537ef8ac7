"""A release is pinned in the text of a stack's file: comments and layout stay as they are."""

from pathlib import Path

import pytest

from infra import pin, stack_file

ID = "1a2b3c4d5e6f"
HEAD = "# ours\nconfig:\n  bentofleet:stack:\n    kind: local   # here\n"
TAIL = "  # keys\n  bentofleet:tokens-jwks: '{}'\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "    rollout: {pin: 1a2b3c4d5e6f}\n"),
        (
            "    rollout:\n      # kept\n      keep: 3  # three\n",
            "    rollout:\n      # kept\n      keep: 3  # three\n      pin: 1a2b3c4d5e6f\n",
        ),
        (
            "    rollout: {keep: 3}  # three\n    slo: {min_rps: 5}\n",
            "    rollout: {pin: 1a2b3c4d5e6f, keep: 3}  # three\n    slo: {min_rps: 5}\n",
        ),
        (
            "    rollout:\n      canary:\n        - {weight: 5}\n\n    slo: {min_rps: 5}\n",
            "    rollout:\n      canary:\n        - {weight: 5}\n      pin: 1a2b3c4d5e6f\n\n"
            "    slo: {min_rps: 5}\n",
        ),
    ],
    ids=["no rollout", "a block", "in braces", "a block within"],
)
def test_a_pin_is_written_and_taken_away_without_a_trace(before: str, after: str) -> None:
    text, pinned = HEAD + before + TAIL, HEAD + after + TAIL

    assert pin.with_pin(text, ID) == pinned
    assert pin.with_pin(pinned, None) == text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("    rollout: {pin: null}\n", "    rollout: {pin: 1a2b3c4d5e6f}\n"),
        ("    rollout: {pin: 000000000abc}\n", "    rollout: {pin: 1a2b3c4d5e6f}\n"),
        ("    rollout: {}\n", "    rollout: {pin: 1a2b3c4d5e6f}\n"),
        ("    rollout:\n", "    rollout: {pin: 1a2b3c4d5e6f}\n"),
        ("    rollout:  # none\n", "    rollout: {pin: 1a2b3c4d5e6f}  # none\n"),
        ("    rollout: null\n", "    rollout: {pin: 1a2b3c4d5e6f}\n"),
    ],
    ids=["null", "another", "empty", "nothing", "a comment", "null as a whole"],
)
def test_a_pin_takes_the_place_of_what_stood_there(before: str, after: str) -> None:
    assert pin.with_pin(HEAD + before + TAIL, ID) == HEAD + after + TAIL


def test_an_id_that_reads_as_a_number_is_quoted() -> None:
    for release in ("123456789012", "1234567890e1"):
        text = pin.with_pin(HEAD, release)
        stack = stack_file.parse_yaml(text)["config"]["bentofleet:stack"]
        assert stack["rollout"]["pin"] == release


def test_a_file_with_other_line_ends_keeps_them() -> None:
    text = (HEAD + TAIL).replace("\n", "\r\n")

    assert "\n" not in pin.with_pin(text, ID).replace("\r\n", "")


def test_what_is_shared_by_an_alias_is_not_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "config:\n  x: &r {keep: 3}\n  bentofleet:stack:\n    kind: local\n    rollout: *r\n"
    (tmp_path / "Pulumi.lab.yaml").write_text(text)
    monkeypatch.setattr(stack_file, "ROOT", tmp_path)

    with pytest.raises(pin.CannotEdit) as caught:
        pin.write("lab", ID)

    assert str(caught.value) == (
        "Pulumi.lab.yaml: was not changed (the change would have changed something else). In it, "
        "under `bentofleet:stack`, set `rollout.pin: 1a2b3c4d5e6f` by hand."
    )
    assert (tmp_path / "Pulumi.lab.yaml").read_text() == text


def test_a_pin_that_stands_there_is_no_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Pulumi.lab.yaml").write_text(HEAD)
    monkeypatch.setattr(stack_file, "ROOT", tmp_path)

    assert [pin.write("lab", ID), pin.write("lab", ID)] == [True, False]
    assert [pin.write("lab", None), pin.write("lab", None)] == [True, False]
    assert (tmp_path / "Pulumi.lab.yaml").read_text() == HEAD
