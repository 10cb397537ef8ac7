"""HAProxy's whole configuration for one host, and the weights of the hosts in it."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from string import Template

from infra.commands import backends, edge, frontends, problems
from infra.commands import weights as parts
from infra.commands.edge import FOLDER
from infra.commands.fleet import Fleet
from infra.config_edge import Edge
from infra.host import Ports

CONFIG = f"{FOLDER}/haproxy.cfg"

BODY_BUFFER = 262_144
"""Bytes of a request that the edge can send again to another replica (release.md: 256 KiB)."""

_MARK, _UNMARKED = "BENTOFLEET_CONFIG", "not-marked-yet"
"""A variable of the running edge: which configuration it has read, as the file may be newer."""

_CONFIG = Template(Path(__file__).with_name("haproxy.cfg.template").read_text())

# Intermediate compatibility, HTTP/1.1 alone: one set of limits counts for every client.
# Source: Mozilla's server side TLS guidelines 5.7, https://ssl-config.mozilla.org, read 2026-11.
_TLS_GLOBAL = """
    ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets
    ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:\
TLS_CHACHA20_POLY1305_SHA256
    ssl-default-bind-ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:\
ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:\
ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"""

_WEIGHED = re.compile(r"^    server (?P<name>\S+) .*? weight (?P<weight>\d+)\b", re.MULTILINE)


def config(settings: Edge, ports: Ports, replicas: int, fleet: Fleet) -> str:
    """HAProxy's whole configuration for one host.

    What is live and which candidate gets how much does not stand here but in a map, which the
    runtime API changes and a restart reads again: promoting a release never reloads the edge.
    This host's replicas have its whole weight here, other hosts none: see `with_weights`.
    """
    limits = settings.limits
    text = _CONFIG.substitute(
        mark_name=_MARK,
        mark=_UNMARKED,
        all_connections=frontends.CONNECTIONS,
        socket=edge.SOCKET,
        body_buffer=BODY_BUFFER,
        tls_global=_TLS_GLOBAL if settings.has_tls else "",
        silence_s=limits.silence_timeout_s,
        head_s=limits.head_timeout_s,
        idle_s=limits.idle_timeout_s,
        errors="\n    ".join(problems.rules()),
        frontends=frontends.render(settings, ports, fleet),
        edge_metrics=ports.edge_metrics,
        nobody=problems.quoted(503, "Service Unavailable", "No release is live yet."),
        tables=frontends.tables(settings) if fleet.entry else "",
        backends=backends.render(settings, ports, replicas, fleet),
    )
    return text.replace(_UNMARKED, hashlib.sha256(text.encode()).hexdigest()[:16], 1)


def with_weights(text: str, name: str, weights: Mapping[str, int]) -> str:
    """A configuration that `config` made for the host called `name`, with other weights.

    Args:
        weights: by host. Another host without one gets no users' requests until it has one; this
            host's replicas keep its whole weight, so that a stack's first host is never without.
    """
    replicas = len({server for _, server in weights_of(text) if not _is_peer(server)})

    def weigh(line: re.Match[str]) -> str:
        server = line["name"]
        if _is_peer(server):
            weight = weights.get(server.removeprefix(edge.PEER_PREFIX), 0)
        else:
            weight = parts.of_own_replicas(weights.get(name, parts.BEST), replicas)
        return f"{line[0].removesuffix(line['weight'])}{weight}"

    return _WEIGHED.sub(weigh, text)


def weights_of(text: str) -> dict[tuple[str, str], int]:
    """The weights in a configuration, by slot and by HAProxy's name of the server."""
    found: dict[tuple[str, str], int] = {}
    for section in re.split(r"^(?=\S)", text, flags=re.MULTILINE):
        if in_users := re.match(r"backend users_(\w)$", section, re.MULTILINE):
            of_slot = _WEIGHED.finditer(section)
            found |= {(in_users[1], line["name"]): int(line["weight"]) for line in of_slot}
    return found


def _is_peer(server: str) -> bool:
    return server.startswith(edge.PEER_PREFIX)


def mark_of(text: str) -> str | None:
    """What tells a configuration that `config` made from others, whatever its weights."""
    found = re.search(rf"^    setenv {_MARK} (\w+)$", text, re.MULTILINE)
    return found[1] if found else None


def show_mark() -> str:
    """Runtime command whose answer `parse_mark` reads."""
    return f"show env {_MARK}\n"


def parse_mark(text: str) -> str | None:
    """The mark of the configuration that a running edge goes by; None: it has none."""
    found = re.search(rf"^{_MARK}=(\w+)$", text, re.MULTILINE)
    return found[1] if found else None


def listens_on(text: str) -> set[int]:
    """The ports of a configuration that `config` made."""
    return {int(port) for port in re.findall(r"^    bind \S+:(\d+)", text, re.MULTILINE)}


def check(path: str = CONFIG) -> list[str]:
    """Inside the container: fails when the configuration is wrong."""
    return ["haproxy", "-c", "-q", "-f", path]
