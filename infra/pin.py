"""The line that pins a release in a stack's file: written and removed in the text itself.

Comments and layout stay. What comes out is compared with what went in, as Pulumi reads it.
"""

import copy
import re
from pathlib import Path
from typing import Any

import yaml

from infra import config, stack_file

ROLLOUT, PIN = "rollout", "pin"


class CannotEdit(Exception):
    """The file cannot be changed safely by a program: one line with what to write by hand."""


def line(release: str) -> str:
    """What stands in a stack's file, in words."""
    return f"rollout.pin: {release}"


def write(stack: str, release: str | None) -> bool:
    """Pins a release in the stack's file, or none; whether that changed anything.

    Raises:
        CannotEdit: it has to be done by hand.
    """
    path = stack_file.path_of(stack).resolve()
    try:
        before = path.read_bytes().decode()
        after = with_pin(before, release)
        if after == before:
            return False
        new = path.with_name(f"{path.name}.new")
        new.write_bytes(after.encode())
        new.chmod(path.stat().st_mode & 0o777)
        new.replace(path)
    except (OSError, ValueError) as e:
        why = (str(e).splitlines() or ["no reason"])[0]
        by_hand = f"set `{line(release)}` by hand." if release else "remove `rollout.pin` by hand."
        msg = f"{path.name}: was not changed ({why}). In it, under `{config.KEY}`, {by_hand}"
        raise CannotEdit(msg) from e
    return True


def with_pin(text: str, release: str | None) -> str:
    """The file's text with that release pinned, or with none.

    Raises:
        ValueError: its form does not allow that.
    """
    old = _parsed(text)
    new = _expected(old, release)
    if new == old:
        return text
    after = _edited(text, release)
    try:
        is_right = _parsed(after) == new
    except ValueError:
        is_right = False
    if not is_right:
        raise ValueError("the change would have changed something else")
    return after


def _parsed(text: str) -> Any:
    try:
        return stack_file.parse_yaml(text)
    except yaml.YAMLError as e:
        raise ValueError("it is no YAML") from e


def _expected(content: Any, release: str | None) -> Any:
    new = copy.deepcopy(content)
    try:
        stack = new["config"][config.KEY]
        rollout = dict(stack.get(ROLLOUT) or {})
    except (KeyError, TypeError, AttributeError, ValueError) as e:
        raise ValueError(f"it has no `{config.KEY}` as a mapping") from e
    if release is not None:
        stack[ROLLOUT] = {**rollout, PIN: release}
    elif PIN in rollout:
        del rollout[PIN]
        stack[ROLLOUT] = rollout
        if not rollout:
            del stack[ROLLOUT]
    return new


def _edited(text: str, release: str | None) -> str:
    stack = _value(_value(yaml.compose(text, yaml.SafeLoader), "config"), config.KEY)
    rollout = _find(stack, ROLLOUT)
    if release is None:
        return _without(text, stack, rollout)
    if rollout is None:
        return _insert(text, stack, ROLLOUT, {PIN: release})
    if isinstance(rollout[1], yaml.MappingNode) and rollout[1].value:
        found = _find(rollout[1], PIN)
        if found is None:
            return _insert(text, rollout[1], PIN, release)
        return _replaced(text, found[1], _scalar(release))
    return _replaced(text, rollout[1], f"{{{PIN}: {_scalar(release)}}}", after=rollout[0])


def _scalar(release: str) -> str:
    """An id as a text: one such as 123456789012 or 1234567890e1 would be read as a number."""
    is_plain = re.search(r"[a-df]", release) is not None
    return release if is_plain else f'"{release}"'


Pair = tuple[yaml.Node, yaml.Node]


def _find(node: yaml.Node | None, key: str) -> Pair | None:
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return next(((k, v) for k, v in pairs if k.value == key), None)


def _value(node: yaml.Node | None, key: str) -> yaml.Node:
    found = _find(node, key)
    if found is None:
        raise ValueError(f"it has no `{key}`")
    return found[1]


def _replaced(text: str, node: yaml.Node, new: str, after: yaml.Node | None = None) -> str:
    start, end = node.start_mark.index, node.end_mark.index
    if start == end and after is not None:  # nothing stands behind the key
        start = end = after.end_mark.index + 1
        new = f" {new}"
    return text[:start] + new + text[end:]


def _insert(text: str, mapping: yaml.Node, key: str, value: str | dict[str, str]) -> str:
    """Adds a key at the end of a block, or at the beginning of a mapping in braces."""
    if isinstance(value, dict):
        shown = "{" + ", ".join(f"{k}: {_scalar(v)}" for k, v in value.items()) + "}"
    else:
        shown = _scalar(value)
    if not isinstance(mapping, yaml.MappingNode) or not mapping.value:
        raise ValueError("there is nothing beside which it could be written")
    if mapping.flow_style:
        at = mapping.start_mark.index + 1
        return f"{text[:at]}{key}: {shown}, {text[at:].lstrip(' ')}"
    newline = "\r\n" if "\r\n" in text else "\n"
    indent = " " * mapping.value[0][0].start_mark.column
    at = _line_end(text, _last(mapping))
    head = text[:at] if text[:at].endswith("\n") else text[:at] + newline
    return f"{head}{indent}{key}: {shown}{newline}{text[at:]}"


def _last(node: yaml.Node) -> int:
    """Where the last thing in a node ends, without what follows it."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        if not isinstance(last, tuple):
            return _last(last)
        return max(int(last[0].end_mark.index), _last(last[1]))
    is_block = isinstance(node, yaml.ScalarNode) and node.style in ("|", ">")
    return int(node.end_mark.index) - (1 if is_block else 0)


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end + 1


def _without(text: str, stack: yaml.Node, rollout: Pair | None) -> str:
    found = _find(rollout[1] if rollout else None, PIN)
    if rollout is None or found is None:
        raise ValueError("nothing is pinned in a place that can be found")
    if len(rollout[1].value) == 1:
        return _cut(text, stack, rollout)
    return _cut(text, rollout[1], found)


def _cut(text: str, mapping: yaml.Node, pair: Pair) -> str:
    start, end = pair[0].start_mark.index, _last(pair[1])
    end = max(end, pair[0].end_mark.index + 1)
    if isinstance(mapping, yaml.CollectionNode) and mapping.flow_style:
        tail = re.match(r"\s*,\s*", text[end:])
        if tail:
            return text[:start] + text[end + tail.end() :]
        head = re.search(r"\s*,?\s*$", text[:start])
        return text[: head.start() if head else start] + text[end:]
    return text[: text.rfind("\n", 0, start) + 1] + text[_line_end(text, end) :]


def shown_path(stack: str) -> str:
    """The file as a person in the repository would type it."""
    return Path(stack_file.path_of(stack)).name


def commit(stack: str, words: str) -> str:
    """The line that makes it count for everybody."""
    return f'git commit -m "{words}" {shown_path(stack)}'
