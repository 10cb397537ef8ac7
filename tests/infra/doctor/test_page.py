"""docs/doctor.md has a row for everything that can be found."""

from infra.doctor import page
from infra.doctor.kinds import SEVERITIES


def test_the_page_is_up_to_date() -> None:
    assert page.PAGE.read_text() == page.page()


def test_every_kind_has_a_code_of_its_own_and_words_that_end_well() -> None:
    every = [
        k for module in page.MODULES for k in vars(module).values() if isinstance(k, page.Kind)
    ]
    by_code = {kind.code: kind for kind in every}
    assert len({id(k) for k in every}) == len(by_code)
    for kind in by_code.values():
        assert kind.severity in SEVERITIES
        assert kind.severity != "ok"
        assert kind.cure
        assert not kind.what.endswith(".")
