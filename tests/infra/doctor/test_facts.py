"""Reading what the script printed."""

import pytest

from infra.doctor.facts import parse, version


def test_values_keep_their_lines_and_reasons_stand_apart() -> None:
    told = parse("os\tID=debian\nos\tVERSION_ID=12\nsshd?\tthere is no sshd\nno tab here\n")
    assert told.all("os") == ("ID=debian", "VERSION_ID=12")
    assert told.pairs("os") == {"ID": "debian", "VERSION_ID": "12"}
    assert told.why_unknown("sshd") == "there is no sshd"
    assert told.one("sshd") is None
    assert told.why_unknown("else") == "the host did not tell"
    assert not told.is_whole


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("6.1.0-31-amd64", (6, 1, 0)),
        ("22.3.6-1+deb12u1", (22, 3, 6)),
        ("v3.258.0", (3, 258, 0)),
        ("1.1.5+ds1", (1, 1, 5)),
        ("none", ()),
    ],
)
def test_a_version_is_read_up_to_what_is_no_number(text: str, numbers: tuple[int, ...]) -> None:
    assert version(text) == numbers
