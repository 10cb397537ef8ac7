"""The address that moves between a stack's entries: keepalived's container and configuration."""

import ipaddress
from collections.abc import Sequence

from infra.commands.containers import ROLE_LABEL, STACK_LABEL, Container

ROLE = "address"
FOLDER = "/etc/bentofleet/address"
"""Where the folder of its configuration is mounted in its container."""

CONFIG_NAME = "keepalived.conf"
MEMORY_MIB = 128
CAPABILITIES = ("NET_ADMIN", "NET_RAW", "SETGID", "SETUID")
"""To set addresses, to send VRRP and ARP, and to ask the edge as a user without rights."""

_FIRST_PRIORITY = 200
_CHECK_EVERY_S, _CHECK_FAILS, _ADVERT_EVERY_S = 1, 3, 1

# The edge that does not answer gives the address away (no weight: state FAULT), and the entry that
# is back does not take it again (nopreempt): each move cuts the connections that are open.
# Between entries only, by their own addresses: many networks drop multicast.
_CONFIG = """\
# Written by `pulumi up`; a change made here by hand shows in `pulumi preview --refresh`.
global_defs {{
    router_id {host}
    vrrp_version 3
    vrrp_garp_master_refresh 60
    enable_script_security
    script_user edge root
    max_auto_priority -1
}}

vrrp_script answers {{
    script "/usr/local/bin/answers {edge_metrics}"
    interval {check_s}
    timeout 2
    fall {fails}
    rise 2
    init_fail
}}

vrrp_instance {stack} {{
    state BACKUP
    nopreempt
    interface {interface}
    virtual_router_id {router_id}
    priority {priority}
    advert_int {advert_s}
    unicast_src_ip {own}
    unicast_peer {{
{others}
    }}
    virtual_ipaddress {{
        {address}
    }}
    track_script {{
        answers
    }}
}}
"""


def name(stack: str) -> str:
    """The container's name."""
    return f"bentofleet-{stack}-address"


def container(*, stack: str, image: str, folder: str) -> Container:
    """keepalived on the host's network: root in its container, with the rights above alone."""
    return Container(
        name=name(stack),
        image=image,
        labels={STACK_LABEL: stack, ROLE_LABEL: ROLE},
        memory_mib=MEMORY_MIB,
        mounts={folder: FOLDER},
        tmpfs={"/run": 1},
        host_network=True,
        user="0:0",
        capabilities=CAPABILITIES,
        entrypoint="keepalived",
        stop_signal="SIGTERM",  # the image's own means something else to keepalived
        command=(
            *("--dont-fork", "--log-console", "--vrrp", f"--use-file={FOLDER}/{CONFIG_NAME}"),
            *("--pid=/run/keepalived.pid", "--vrrp_pid=/run/vrrp.pid"),
        ),
    )


def config(
    *,
    stack: str,
    host: str,
    address: str,
    interface: str,
    router_id: int,
    entries: Sequence[tuple[str, str]],
    edge_metrics: int,
) -> str:
    """keepalived's whole configuration for one entry.

    Args:
        address: that moves, with its prefix.
        entries: name and own IP address of each, `host` among them: the first gets it first.
        edge_metrics: the edge's own page, which is asked whether the edge lives.
    """
    own = dict(entries)[host]
    others = "\n".join(f"        {ip}" for other, ip in entries if other != host)
    rank = [other for other, _ in entries].index(host)
    return _CONFIG.format(
        host=host,
        stack=stack,
        edge_metrics=edge_metrics,
        check_s=_CHECK_EVERY_S,
        fails=_CHECK_FAILS,
        interface=interface,
        router_id=router_id,
        priority=max(1, _FIRST_PRIORITY - rank),
        advert_s=_ADVERT_EVERY_S,
        own=own,
        others=others,
        address=ipaddress.ip_interface(address).with_prefixlen,
    )


def check_card(interface: str) -> list[str]:
    """Exit 0 when the host has a network card of that name."""
    return ["test", "-e", f"/sys/class/net/{interface}/ifindex"]


def held(engine: str, stack: str, ip: str) -> list[str]:
    """Prints a line where the host has the address now; asked in the container, which has `ip`."""
    return [engine, "exec", name(stack), "ip", "-oneline", "address", "show", "to", ip]
