"""The page and the schema of the configuration are those of the code."""

import json

from infra import reference


def test_the_page_is_up_to_date() -> None:
    assert reference.PAGE.read_text() == reference.page()


def test_the_schema_is_up_to_date() -> None:
    assert json.loads(reference.SCHEMA.read_text()) == json.loads(reference.schema_text())


def test_a_key_deep_down_has_its_row_with_bounds_and_default() -> None:
    assert "| `service.replicas` | integer, 1 to 16 | `2` |" in reference.page()


def test_a_key_without_default_is_marked_as_required() -> None:
    assert "| `hosts[].address` | string | required |" in reference.page()
