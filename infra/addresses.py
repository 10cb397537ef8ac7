"""Names and addresses, of machines and stacks: which texts are one, and the line for the others."""

import ipaddress
import re

from infra import faults

NAME = r"^[a-z][a-z0-9-]{0,29}$"
_STACK = re.compile(r"(?!.{51})[a-z0-9]+((-+|[._])[a-z0-9]+)*", re.ASCII)
"""What the path of an image may have in it (the distribution project's reference grammar)."""

USER = r"^[A-Za-z_][A-Za-z0-9_.@-]{0,63}$"

TAKEN = "latest"
"""A link of that name leads to a stack's last report."""

_LABEL = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)", re.ASCII)


def short_name(text: str) -> str:
    """The name, if containers, files and messages can carry it.

    Raises:
        ValueError: they cannot.
    """
    if not re.fullmatch(NAME[1:-1], text, re.ASCII):
        raise ValueError(
            f"is no short name (got {faults.shown(text)}). Begin with a small letter; up to 29 "
            "small letters, digits and hyphens may follow."
        )
    return text


def user_name(text: str) -> str:
    """The name, if somebody can log in by it.

    Raises:
        ValueError: nobody can.
    """
    if not re.fullmatch(USER[1:-1], text, re.ASCII):
        raise ValueError(
            f"is no name of a user (got {faults.shown(text)}). Write it as `id -un` prints it on "
            "the host."
        )
    return text


def stack_name(text: str) -> str:
    """The stack's name, if image tags, containers and folders can carry it.

    Raises:
        ValueError: they cannot.
    """
    if not _STACK.fullmatch(text) or text == TAKEN:
        raise ValueError(
            f"stack: its name cannot be used (got {faults.shown(text)}). Name it with at most 50 "
            f"small letters and digits, with - or _ or . between them, and not {TAKEN}."
        )
    return text


def to_listen_on(text: str) -> str:
    """The IP address, if something can listen on it.

    Raises:
        ValueError: it is none.
    """
    if not _is_ip(text) or ipaddress.ip_address(text).is_multicast:
        raise ValueError(
            f"is no IP address to listen on (got {faults.shown(text)}). Write 0.0.0.0 for all, or "
            "one of the host's own."
        )
    return text


def reachable(text: str) -> str:
    """The IP address or DNS name, if it can be one machine's.

    Raises:
        ValueError: it is none.
    """
    if _is_ip(text):
        ip = ipaddress.ip_address(text)
        good = not (ip.is_unspecified or ip.is_multicast)
    else:
        labels = text.removesuffix(".").split(".")
        # a last label of digits alone is a mistyped IP address, never a name
        good = all(map(_LABEL.fullmatch, labels)) and not labels[-1].isdigit()
    if not good:
        raise ValueError(
            f"is neither an IP address nor a DNS name of one host (got {faults.shown(text)}). "
            "Write it without scheme, port, path and blanks."
        )
    return text


def url(address: str, port: int, *, tls: bool = False) -> str:
    """Where a service answers; an IPv6 address gets its brackets."""
    host = f"[{address}]" if ":" in address else address
    return f"{'https' if tls else 'http'}://{host}:{port}"


def _is_ip(text: str) -> bool:
    try:
        return "%" not in text and bool(ipaddress.ip_address(text))
    except ValueError:
        return False
