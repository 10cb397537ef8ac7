"""Names and addresses of machines: which texts are one, and the line for each that is none."""

import ipaddress
import re

from infra import faults

NAME = r"^[a-z][a-z0-9-]{0,29}$"
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


def _is_ip(text: str) -> bool:
    try:
        return "%" not in text and bool(ipaddress.ip_address(text))
    except ValueError:
        return False
