"""HAProxy's whole configuration for one host."""

import json
import re
from pathlib import Path
from string import Template

from infra.commands.edge import (
    CERTIFICATE,
    FOLDER,
    LIVE_MAP,
    SOCKET,
    server,
)
from infra.config_edge import Edge
from infra.host import SLOTS, Ports

CONFIG = f"{FOLDER}/haproxy.cfg"

BODY_BUFFER = 262_144
"""Bytes of a request that the edge can send again to another replica (release.md: 256 KiB)."""

MAX_CONNECTIONS = 2000
"""Each holds two buffers at most: 2000 x 2 x 256 KiB = 1 GiB in the worst case."""

TABLE_ENTRIES = 100_000
"""Tokens, and addresses, that are remembered at a time: about 10 MB each; the oldest go first."""

_REQUEST_ID = "%[var(txn.request_id),json(utf8s)]"

_CONFIG = Template(Path(__file__).with_name("haproxy.cfg.template").read_text())

_DIRECT = Template("""\
frontend direct_$slot
    bind 127.0.0.1:$port
    http-request set-var(txn.request_id) req.hdr(X-Request-ID)
    http-request set-var(txn.path) path
    default_backend slot_$slot

""")

_SLOT = Template("""\
backend slot_$slot
    balance leastconn
    option httpchk
    http-check send meth GET uri /readyz hdr Host edge
    http-check expect status 200
    default-server check inter 1s fastinter 250ms downinter 500ms rise 1 fall 2
    default-server on-marked-down shutdown-sessions
$servers
""")

# Intermediate compatibility, HTTP/1.1 alone: one set of limits counts for every client.
# Source: Mozilla's server side TLS guidelines 5.7, https://ssl-config.mozilla.org, read 2026-11.
_TLS_GLOBAL = """
    ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets
    ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:\
TLS_CHACHA20_POLY1305_SHA256
    ssl-default-bind-ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:\
ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:\
ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"""

# 308 keeps method and body. No Strict-Transport-Security: it counts for every port of the name.
_REDIRECT = Template("""\
frontend plain
    bind $address:$port
$clients
    http-request set-var(txn.path) path
    http-request return status 400 content-type application/problem+json string "$no_host" \
unless { req.hdr(Host) -m reg ^([A-Za-z0-9._-]+|\\[[0-9A-Fa-f:.]+\\])(:[0-9]{1,5})?$$ }
    http-request redirect code 308 location https://%[req.hdr(Host),regsub(:[0-9]+$$,)]:$to%[pathq]

""")

_CLIENTS = Template("""\
    tcp-request connection track-sc0 src table per_client
    tcp-request connection reject if { sc0_conn_cur gt $most }""")

_TABLE = Template("""\
backend $name
    stick-table type $key size $entries expire $expire store $counter

""")

# Only what a replica took for a token is counted, so that made-up ones fill no table. What a token
# says of itself is not checked here: a forged `gate` passes, and gets its 401 from the replica.
_RATE_LIMIT = Template("""
    http-request return status 400 content-type application/problem+json string "$twice" \
if { req.fhdr_cnt(Authorization) gt 1 }
    acl has_token var(txn.token) -m found
    acl is_gate var(txn.scope) -m reg (^|[[:space:]])gate([[:space:]]|$$)
    acl is_known var(txn.token),in_table(per_token)
    http-request set-var(txn.scope) var(txn.bearer),jwt_payload_query('$$.scope') if has_token
    http-request return status 429 content-type application/problem+json \
lf-string "$problem" hdr Retry-After $period_s if has_token !is_gate \
{ var(txn.token),table_gpc0_rate(per_token) ge $requests }
    http-request track-sc1 var(txn.token) table per_token if has_token !is_gate is_known
    http-request sc-inc-gpc0(1) if { sc1_tracked }
    http-request set-var(txn.counted) bool(true) if { sc1_tracked }
    acl is_counted var(txn.counted) -m bool
    http-response track-sc1 var(txn.token) table per_token \
if has_token !is_gate !is_counted !{ status 401 }
    http-response sc-inc-gpc0(1) if !is_counted { sc1_tracked }
""")


def config(settings: Edge, ports: Ports, replicas: int) -> str:
    """HAProxy's whole configuration for one host.

    Which slot is live does not stand here but in a map, which the runtime API changes and a
    restart reads again: promoting a release never reloads the edge.
    """
    limits, scheme = settings.limits, "https" if settings.has_tls else "http"
    return _CONFIG.substitute(
        max_connections=MAX_CONNECTIONS,
        socket=SOCKET,
        body_buffer=BODY_BUFFER,
        tls_global=_TLS_GLOBAL if settings.has_tls else "",
        silence_s=limits.silence_timeout_s,
        head_s=limits.head_timeout_s,
        idle_s=limits.idle_timeout_s,
        errors="\n    ".join(_errors()),
        bind=_bind(settings),
        clients=_CLIENTS.substitute(most=limits.client_connections),
        scheme=scheme,
        body_bytes=limits.body_mib << 20,
        too_large=_quoted(413, "Content Too Large", _too_large(limits.body_mib), _REQUEST_ID),
        rate_limit=_rate_limit(settings),
        live_map=LIVE_MAP,
        redirect=_redirect(settings),
        edge_metrics=ports.edge_metrics,
        nobody=_quoted(503, "Service Unavailable", "No release is live yet."),
        direct="".join(_DIRECT.substitute(slot=s, port=ports.direct(s)) for s in SLOTS),
        tables=_tables(settings),
        slots="\n".join(_slot(s, ports, replicas) for s in SLOTS),
    )


def _bind(settings: Edge) -> str:
    tls = f" ssl crt {CERTIFICATE} alpn http/1.1" if settings.has_tls else ""
    return f"{settings.address}:{settings.port}{tls}"


def _errors() -> list[str]:
    told = (
        (400, "Bad Request", "The edge cannot read this as HTTP/1.1."),
        (408, "Request Timeout", "The request did not arrive in time."),
        (502, "Bad Gateway", "The replica broke off its answer."),
        (503, "Service Unavailable", "No replica took the request in time."),
        (504, "Gateway Timeout", "The replica did not answer in time."),
    )
    return [
        f"http-error status {status} content-type application/problem+json "
        f'string "{_quoted(status, title, detail)}"{" hdr Retry-After 2" if status == 503 else ""}'
        for status, title, detail in told
    ]


def _quoted(status: int, title: str, detail: str, request_id: str | None = None) -> str:
    """A problem document as it stands between quotes; `request_id` is a log format, in quotes."""
    problem = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    text = json.dumps(problem, separators=(",", ":"))
    if request_id is not None:
        text = f'{text[:-1]},"request_id":"{request_id}"}}'
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _too_large(body_mib: int) -> str:
    return f"The edge takes bodies of at most {body_mib} MiB."


def _rate_limit(settings: Edge) -> str:
    limit = settings.rate_limit
    if not limit.requests:
        return ""
    detail = f"This token may be used {limit.requests} times in {limit.period_s} seconds."
    return _RATE_LIMIT.substitute(
        twice=_quoted(400, "Bad Request", "Send one Authorization header."),
        problem=_quoted(429, "Too Many Requests", detail, _REQUEST_ID),
        requests=limit.requests,
        period_s=limit.period_s,
    )


def _redirect(settings: Edge) -> str:
    if not (settings.has_tls and settings.tls.redirect):
        return ""
    return _REDIRECT.substitute(
        address=settings.address,
        port=settings.tls.http_port,
        to=settings.port,
        clients=_CLIENTS.substitute(most=settings.limits.client_connections),
        no_host=_quoted(400, "Bad Request", "Name the host, and ask by https."),
    )


def _tables(settings: Edge) -> str:
    clients = _TABLE.substitute(
        name="per_client", key="ipv6", entries=TABLE_ENTRIES, expire="1m", counter="conn_cur"
    )
    if not settings.rate_limit.requests:
        return clients
    period_s = settings.rate_limit.period_s
    return clients + _TABLE.substitute(
        name="per_token",
        key="binary len 32",
        entries=TABLE_ENTRIES,
        expire=f"{2 * period_s}s",
        counter=f"gpc0,gpc0_rate({period_s}s)",
    )


def _slot(slot: str, ports: Ports, replicas: int) -> str:
    servers = "\n".join(
        f"    server {server(n)} 127.0.0.1:{ports.replica(slot, n)}" for n in range(1, replicas + 1)
    )
    return _SLOT.substitute(slot=slot, servers=servers)


def listens_on(text: str) -> set[int]:
    """The ports of a configuration that `config` made."""
    return {int(port) for port in re.findall(r"^    bind \S+:(\d+)", text, re.MULTILINE)}


def check(path: str = CONFIG) -> list[str]:
    """Inside the container: fails when the configuration is wrong."""
    return ["haproxy", "-c", "-q", "-f", path]
