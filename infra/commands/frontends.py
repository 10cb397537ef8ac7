"""The part of HAProxy's configuration that takes requests: from users, the gate and other hosts."""

from string import Template

from infra.commands import edge
from infra.commands.backends import HOP_CONNECTIONS, INNER_CONNECTIONS
from infra.commands.fleet import Fleet
from infra.commands.problems import REQUEST_ID, quoted
from infra.config_edge import Edge
from infra.host import SLOTS, Ports
from service import contract

USERS_CONNECTIONS = 2000
"""At a time from users: the rest waits, and takes no room from what is between hosts."""

PLAIN_CONNECTIONS = 250
"""At a time to be sent on to TLS."""

CONNECTIONS = (
    USERS_CONNECTIONS + PLAIN_CONNECTIONS + len(SLOTS) * (INNER_CONNECTIONS + HOP_CONNECTIONS) + 250
)
"""Of the whole process; the last are for gate and metrics. A connection at work holds two buffers
of 256 KiB at most, an idle one none."""

TABLE_ENTRIES = 100_000
"""Tokens, and addresses, that are remembered at a time: about 10 MB each; the oldest go first."""

# A token has one spelling, but blanks before it do not count: each must come to one hash.
_USERS = Template("""\
frontend users
    bind $bind
    maxconn $connections
$clients
    http-request set-header X-Request-ID %[uuid()] \
unless { req.hdr(X-Request-ID) -m reg ^[A-Za-z0-9._-]{1,64}$$ }
    http-request set-var(txn.request_id) req.hdr(X-Request-ID)
    http-request set-var(txn.path) path
    http-request set-var(txn.bearer) req.fhdr(Authorization),word(2,' ')
    http-request set-var(txn.token) var(txn.bearer),sha2(256) if { var(txn.bearer),length gt 0 }
    http-request set-header X-Forwarded-For %[src]
    http-request set-header X-Forwarded-Proto $scheme
    http-request return status 413 content-type application/problem+json \
lf-string "$too_large" if { req.body_size gt $body_bytes }$rate_limit
$choice
""")

# Live's share never depends on the candidate, nor the candidate's on whether live is well.
_CHOICE = Template("""\
    http-request set-var(txn.side) str($live),map($live_map,$nobody)
    http-request set-var(txn.share) str($canary),map($live_map,0)
    http-request set-var(txn.over) rand($whole),sub(txn.share)
    acl is_tried var(txn.over) -m int lt 0
    use_backend canary_b if { var(txn.side) -m str a } is_tried { fe_conn(hop_b) lt $hop }
    use_backend canary_a if { var(txn.side) -m str b } is_tried { fe_conn(hop_a) lt $hop }
    use_backend users_a if { var(txn.side) -m str a }
    use_backend users_b if { var(txn.side) -m str b }
    default_backend nobody
""")

_DOOR = Template("""\
frontend gate_users
    bind 127.0.0.1:$port
    http-request set-var(txn.request_id) req.hdr(X-Request-ID)
    http-request set-var(txn.path) path
$choice
""")

_DIRECT = Template("""\
frontend direct_$slot
    bind 127.0.0.1:$port
    http-request set-var(txn.request_id) req.hdr(X-Request-ID)
    http-request set-var(txn.path) path
    default_backend slot_$slot

""")

# Entries ask several times a second whether this host is ready: that is not worth a line.
_INNER = Template("""\
frontend inner_$slot
    bind $address:$port ssl crt $own ca-file $peers verify required ssl-min-ver TLSv1.3 \
alpn http/1.1
    maxconn $connections
    http-request set-log-level silent if { path $readyz }
    http-request set-var(txn.request_id) req.hdr(X-Request-ID)
    http-request set-var(txn.path) path
    default_backend inner_$slot

""")

# 308 keeps method and body. No Strict-Transport-Security: it counts for every port of the name.
_REDIRECT = Template("""\
frontend plain
    bind $address:$port
    maxconn $connections
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


def render(settings: Edge, ports: Ports, fleet: Fleet) -> str:
    """Every frontend with replicas behind it; users have none on a host that is no entry."""
    parts = [_DIRECT.substitute(slot=slot, port=ports.direct(slot)) for slot in SLOTS]
    if fleet.inner_bind is not None:
        parts += [_inner(slot, settings, fleet.inner_bind) for slot in SLOTS]
    if fleet.entry:
        door = _DOOR.substitute(port=ports.door, choice=_choice())
        parts = [_users(settings), _redirect(settings), door, *parts]
    return "".join(parts)


def tables(settings: Edge) -> str:
    """What is remembered of clients and tokens."""
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


def _users(settings: Edge) -> str:
    body_mib = settings.limits.body_mib
    detail = f"The edge takes bodies of at most {body_mib} MiB."
    tls = f" ssl crt {edge.CERTIFICATE} alpn http/1.1" if settings.has_tls else ""
    return _USERS.substitute(
        bind=f"{settings.address}:{settings.port}{tls}",
        connections=USERS_CONNECTIONS,
        clients=_clients(settings),
        scheme="https" if settings.has_tls else "http",
        body_bytes=body_mib << 20,
        too_large=quoted(413, "Content Too Large", detail, REQUEST_ID),
        rate_limit=_rate_limit(settings),
        choice=_choice(),
    )


def _choice() -> str:
    return _CHOICE.substitute(
        live=edge.LIVE,
        canary=edge.CANARY,
        live_map=edge.LIVE_MAP,
        nobody=edge.NOBODY,
        whole=edge.BASIS_POINTS,
        hop=HOP_CONNECTIONS,
    )


def _clients(settings: Edge) -> str:
    return _CLIENTS.substitute(most=settings.limits.client_connections)


def _rate_limit(settings: Edge) -> str:
    limit = settings.rate_limit
    if not limit.requests:
        return ""
    detail = f"This token may be used {limit.requests} times in {limit.period_s} seconds."
    return _RATE_LIMIT.substitute(
        twice=quoted(400, "Bad Request", "Send one Authorization header."),
        problem=quoted(429, "Too Many Requests", detail, REQUEST_ID),
        requests=limit.requests,
        period_s=limit.period_s,
    )


def _redirect(settings: Edge) -> str:
    if not (settings.has_tls and settings.tls.redirect):
        return ""
    return _REDIRECT.substitute(
        address=settings.address,
        port=settings.tls.http_port,
        connections=PLAIN_CONNECTIONS,
        to=settings.port,
        clients=_clients(settings),
        no_host=quoted(400, "Bad Request", "Name the host, and ask by https."),
    )


def _inner(slot: str, settings: Edge, address: str) -> str:
    return _INNER.substitute(
        slot=slot,
        address=address,
        port=settings.inner_ports_from + SLOTS.index(slot),
        own=edge.INNER_CERTIFICATE,
        peers=edge.PEERS,
        connections=INNER_CONNECTIONS,
        readyz=contract.READYZ,
    )
