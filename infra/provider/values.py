"""Pulumi's property values to plain Python and back: unknowns and secrets keep their meaning."""

from collections.abc import Mapping, Sequence
from typing import Any

from pulumi.provider.experimental.property_value import Computed, PropertyValue

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""How the SDK (3.258) hands an unknown to a provider: as this string, not as `Computed`."""

Properties = dict[str, PropertyValue]


def with_unknowns(value: PropertyValue) -> PropertyValue:
    """The value with each unknown, however deep, as `Computed`."""
    if value.value == UNKNOWN:
        return PropertyValue(Computed(), value.is_secret, value.dependencies)
    if isinstance(value.value, str):
        return value
    if isinstance(value.value, Mapping):
        return value.with_value({k: with_unknowns(v) for k, v in value.value.items()})
    if isinstance(value.value, Sequence):
        return value.with_value([with_unknowns(v) for v in value.value if not isinstance(v, str)])
    return value


def to_wire(properties: Properties) -> Properties:
    """The properties as the SDK can send them: each unknown as its string again."""
    return {key: _wired(value) for key, value in properties.items()}


def _wired(value: PropertyValue) -> PropertyValue:
    if isinstance(value.value, Computed):
        return value.with_value(UNKNOWN)
    if isinstance(value.value, Mapping):
        return value.with_value({k: _wired(v) for k, v in value.value.items()})
    if isinstance(value.value, Sequence) and not isinstance(value.value, str):
        return value.with_value([_wired(v) for v in value.value if not isinstance(v, str)])
    return value


def known(properties: Properties) -> Properties:
    """`with_unknowns` for every property."""
    return {key: with_unknowns(value) for key, value in properties.items()}


def has_unknown(value: PropertyValue) -> bool:
    """Whether the value, or anything in it, is not known yet."""
    if isinstance(value.value, Computed):
        return True
    if isinstance(value.value, Mapping):
        return any(has_unknown(v) for v in value.value.values())
    if isinstance(value.value, Sequence) and not isinstance(value.value, str):
        return any(has_unknown(v) for v in value.value)
    return False


def to_plain(value: PropertyValue) -> Any:
    """Plain Python: whole numbers as int; an unknown as None. Secrecy is lost: use with care."""
    inner = value.value
    if isinstance(inner, Computed):
        return None
    if isinstance(inner, Mapping):
        return {key: to_plain(item) for key, item in inner.items()}
    if isinstance(inner, Sequence) and not isinstance(inner, str):
        return [to_plain(item) for item in inner]
    if isinstance(inner, float) and inner.is_integer():
        return int(inner)
    return inner


def plain(properties: Properties) -> dict[str, Any]:
    """`to_plain` for every property."""
    return {key: to_plain(value) for key, value in properties.items()}


def to_value(value: Any) -> PropertyValue:
    """A property value of plain Python."""
    if isinstance(value, PropertyValue):
        return value
    if isinstance(value, Mapping):
        return PropertyValue({str(key): to_value(item) for key, item in value.items()})
    if isinstance(value, (list, tuple)):
        return PropertyValue([to_value(item) for item in value])
    if isinstance(value, int) and not isinstance(value, bool):
        return PropertyValue(float(value))
    return PropertyValue(value)


def properties(values: Mapping[str, Any]) -> Properties:
    """`to_value` for every item."""
    return {key: to_value(item) for key, item in values.items()}


def same(old: PropertyValue | None, new: PropertyValue | None) -> bool:
    """Whether two values are equal, secrecy and dependencies aside; an unknown equals nothing."""
    if old is None or new is None:
        return old is None and new is None
    if has_unknown(old) or has_unknown(new):
        return False
    return bool(to_plain(old) == to_plain(new))
