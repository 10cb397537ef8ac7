"""The record of what is live: written and read back, and found again when it is lost."""

import dataclasses

import pytest

from infra.provider import live

LIVE = live.Live(
    release="0123456789ab", slot="b", replicas=3, since="2026-01-02T03:04:05+00:00", image="a/b:c"
)


def test_what_is_written_is_read_back() -> None:
    assert live.parse(live.text(LIVE)) == LIVE
    assert live.parse(live.text(None)) is None


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (LIVE, ["live b", "canary 0", "release_a none", "release_b 0123456789ab"]),
        (None, ["live none", "canary 0", "release_a none", "release_b none"]),
    ],
    ids=["a release", "none"],
)
def test_what_haproxy_reads_has_every_key_and_no_candidate(
    now: live.Live | None, expected: list[str]
) -> None:
    lines = live.text(now).splitlines()

    assert [line for line in lines if not line.startswith("#")] == expected


def test_a_record_from_before_there_were_canaries_is_read() -> None:
    older = "".join(
        line
        for line in live.text(LIVE).splitlines(keepends=True)
        if not line.startswith(("canary", "release_"))
    )

    assert older != live.text(LIVE)
    assert live.parse(older) == LIVE


@pytest.mark.parametrize("gone", [f.name for f in dataclasses.fields(live.Live)])
def test_a_record_that_lacks_something_is_no_record(gone: str) -> None:
    word = "live" if gone == "slot" else gone
    kept = [
        line for line in live.text(LIVE).splitlines() if line.removeprefix("# ").split()[0] != word
    ]

    assert live.parse("\n".join(kept)) is None


@pytest.mark.parametrize("damage", ["", "\0\0\0", "live c\n", "live b", "# replicas two\nlive b\n"])
def test_damage_is_no_record(damage: str) -> None:
    assert live.parse(damage) is None
