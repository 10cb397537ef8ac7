"""Pulumi's values: unknowns and secrets keep their meaning on the way through."""

import pytest
from pulumi.provider.experimental.property_value import Computed, PropertyValue

from infra.provider import values


def test_an_unknown_is_found_however_deep_it_lies() -> None:
    deep = values.to_value({"hosts": [{"address": values.UNKNOWN}], "port": 80})

    known = values.with_unknowns(deep)

    assert values.has_unknown(known)
    assert values.to_plain(known) == {"hosts": [{"address": None}], "port": 80}


def test_a_secret_unknown_stays_secret() -> None:
    value = values.with_unknowns(PropertyValue(values.UNKNOWN, is_secret=True))

    assert isinstance(value.value, Computed)
    assert value.is_secret


def test_a_secret_inside_a_list_stays_secret() -> None:
    value = values.with_unknowns(PropertyValue([PropertyValue("s3cret", is_secret=True)]))

    assert value.contains_secret()


@pytest.mark.parametrize(
    "plain", [None, True, 3, 2.5, "text", ["a", 1], {"a": {"b": [False]}}], ids=repr
)
def test_plain_values_come_back_as_they_went(plain: object) -> None:
    assert values.to_plain(values.to_value(plain)) == plain


def test_whole_numbers_are_whole_numbers_again() -> None:
    assert isinstance(values.to_plain(PropertyValue(2.0)), int)


@pytest.mark.parametrize(
    ("old", "new", "equal"),
    [
        (PropertyValue("a"), PropertyValue("a", is_secret=True), True),
        (PropertyValue("a"), PropertyValue("b"), False),
        (None, PropertyValue("a"), False),
        (PropertyValue(Computed()), PropertyValue(Computed()), False),
        (None, None, True),
    ],
    ids=["secrecy aside", "another value", "a new one", "two unknowns", "none"],
)
def test_sameness(old: PropertyValue | None, new: PropertyValue | None, equal: bool) -> None:
    assert values.same(old, new) is equal
