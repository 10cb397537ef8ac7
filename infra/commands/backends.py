"""The part of HAProxy's configuration behind its frontends: how replicas and hosts are asked.

`slot_x` has this host's replicas, for their checks and the gate. `inner_x` gives them to the other
hosts. On an entry `users_x` has the replicas of every host, and a canary's share goes to the
candidate by `canary_x`.
"""

from string import Template

from infra.commands import edge, weights
from infra.commands.fleet import Fleet, Peer
from infra.config_edge import Edge
from infra.host import SLOTS, Ports, other_slot
from service import contract

DRAWS = 8
"""Servers that are drawn by weight for each request, of which the least busy gets it: with so many
an idle fleet is asked in proportion, and a busy one where there is room."""

LEAST_RETRIES, MOST_RETRIES = 3, 8
"""Of a request: one for each replica of the entry, which may all die at once, and one for the one
that it was on. Not more: a fleet that is too busy is asked as often."""

INNER_CONNECTIONS = 1000
"""At a time from other hosts to one slot: more than its replicas can have in work."""

HOP_CONNECTIONS = 250
"""At a time to the candidate's share: what is beyond goes to live at once."""

# The answer names its release, so that what was started for another one is not asked.
_CHECK = Template("""\
    option httpchk
    http-check send meth GET uri $readyz hdr Host edge
    http-check expect status 200
    http-check expect hdr name $header value-lf \
%[str($key),map($live_map,$nobody)]
    default-server inter 1s fastinter 250ms downinter 500ms rise 1 fall 2
""")

_SLOT = Template("""\
backend slot_$slot
    balance leastconn
$check    default-server on-marked-down shutdown-sessions
$servers
""")

# No second try here after a 502 or 503: the entry has other hosts for that.
_INNER = Template("""\
backend inner_$slot
    balance leastconn
    retry-on conn-failure empty-response junk-response
    default-server on-marked-down shutdown-sessions
$servers
""")

# A connection that fails takes its server out until a check passes: two that died at once would
# else hand a request to each other until it has no try left. What is in work there stays: HAProxy
# would end the very request that found the server dead. The watcher ends what waits in vain.
_USERS = Template("""\
backend users_$slot
    balance random($draws)
    retries $retries
$check    default-server observe layer4 error-limit 1 on-error mark-down
$servers
""")

# `first`: the second try is on live, whatever the candidate did with the first.
_CANARY = Template("""\
backend canary_$slot
    balance first
    retries 1
    use-server $fallback if { nbsrv(users_$slot) eq 0 }
    server $candidate unix@$socket_folder/users_$slot.sock id 1
    server $fallback unix@$socket_folder/users_$live.sock id 2

frontend hop_$slot
    bind unix@$socket_folder/users_$slot.sock mode 600
    maxconn $connections
    http-request set-log-level silent
    default_backend users_$slot

""")

# A name that nobody knows yet must not keep the edge from starting. Its host is then looked for at
# an address where nobody is who has its certificate, until the watcher has found the right one.
_PEER = (
    "ssl verify required ca-file {peers} crt {own} verifyhost {name} ssl-min-ver TLSv1.3 "
    "alpn http/1.1 init-addr libc,127.0.0.1 downinter 1s"
)


def render(settings: Edge, ports: Ports, replicas: int, fleet: Fleet) -> str:
    """Every backend with replicas behind it, and the hops between two of them."""
    parts = [_slot(slot, ports, replicas) for slot in SLOTS]
    if fleet.inner_bind is not None:
        parts += [_inner(slot, ports, replicas) for slot in SLOTS]
    if fleet.entry:
        parts += [_users(slot, settings, ports, replicas, fleet) for slot in SLOTS]
        parts += [_canary(slot) for slot in SLOTS]
    return "".join(parts)


def _slot(slot: str, ports: Ports, replicas: int) -> str:
    servers = [f"{own} check" for own in _own(slot, ports, replicas)]
    return _SLOT.substitute(slot=slot, check=_check(slot), servers=_lines(servers))


def _inner(slot: str, ports: Ports, replicas: int) -> str:
    servers = [
        f"{own} track slot_{slot}/{edge.server(number)}"
        for number, own in enumerate(_own(slot, ports, replicas), start=1)
    ]
    return _INNER.substitute(slot=slot, servers=_lines(servers))


def _users(slot: str, settings: Edge, ports: Ports, replicas: int, fleet: Fleet) -> str:
    mine = weights.of_own_replicas(weights.BEST, replicas)
    servers = [f"{own} weight {mine} check" for own in _own(slot, ports, replicas)]
    port = settings.inner_ports_from + SLOTS.index(slot)
    servers += [f"{_peer(peer, port)} weight 0 check" for peer in fleet.peers]
    return _USERS.substitute(
        slot=slot,
        draws=DRAWS,
        retries=max(LEAST_RETRIES, min(replicas + 1, MOST_RETRIES)),
        check=_check(slot),
        servers=_lines(servers),
    )


def _canary(slot: str) -> str:
    return _CANARY.substitute(
        slot=slot,
        live=other_slot(slot),
        candidate=edge.CANDIDATE,
        fallback=edge.FALLBACK,
        socket_folder=edge.SOCKET_FOLDER,
        connections=HOP_CONNECTIONS,
    )


def _check(slot: str) -> str:
    return _CHECK.substitute(
        readyz=contract.READYZ,
        header=contract.RELEASE_HEADER,
        key=edge.release_key(slot),
        live_map=edge.LIVE_MAP,
        nobody=edge.NOBODY,
    )


def _own(slot: str, ports: Ports, replicas: int) -> list[str]:
    return [
        f"{edge.server(number)} 127.0.0.1:{ports.replica(slot, number)}"
        for number in range(1, replicas + 1)
    ]


def _peer(peer: Peer, port: int) -> str:
    address = f"[{peer.address}]" if ":" in peer.address else peer.address
    tls = _PEER.format(peers=edge.PEERS, own=edge.INNER_CERTIFICATE, name=peer.name)
    return f"{edge.PEER_PREFIX}{peer.name} {address}:{port} {tls}"


def _lines(servers: list[str]) -> str:
    return "".join(f"    server {server}\n" for server in servers)
