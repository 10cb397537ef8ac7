"""The graphics cards of a host: how they are looked at, and how a container gets at one. Pure.

Only what an AMD card with the kernel driver amdgpu needs: that is what the image vulkan drives.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

AMD = "0x1002"
DRIVER = "amdgpu"
NODES = "/dev/dri"
KEEP_GROUPS = "keep-groups"
"""Podman's word for: the container's process keeps the groups of the user who starts it."""

UDEV_RULE = 'SUBSYSTEM=="drm", KERNEL=="renderD*", MODE="0666"'
UDEV_FILE = "/etc/udev/rules.d/70-bentofleet-render.rules"
OPEN_NODE = (
    f"let a udev rule open the node to all: `echo '{UDEV_RULE}' | sudo tee {UDEV_FILE}`, then "
    "`sudo udevadm trigger --subsystem-match=drm`"
)

_OTHERS_MAY_USE = 0o006
_SCRIPT = r"""
export LC_ALL=C
for card in "$1"/sys/bus/pci/devices/*; do
    case "$(cat "$card/class" 2>/dev/null)" in 0x03*) ;; *) continue ;; esac
    driver=-; [ -e "$card/driver" ] && driver=$(readlink "$card/driver")
    node=-; for drm in "$card"/drm/renderD*; do [ -e "$drm" ] && node=${drm##*/}; done
    echo "card ${card##*/} $(cat "$card/vendor") $(cat "$card/device") ${driver##*/} $node"
done
for node in "$1"/dev/dri/renderD*; do
    [ -e "$node" ] && echo "node ${node##*/} $(stat -c '%g %a' -- "$node")"
done
echo "user $(id -un) $(id -u) $(id -G)"
kernel=$(uname -r)
echo "kernel $kernel"
[ -d "$1/sys/module/amdgpu" ] && echo loaded
find "$1/lib/modules/$kernel" -name 'amdgpu.ko*' 2>/dev/null | grep -q . && echo module
ls "$1"/lib/firmware/amdgpu/polaris10_* >/dev/null 2>&1 && echo firmware
grep -qw nomodeset "$1/proc/cmdline" 2>/dev/null && echo nomodeset
true
"""


def facts(root: str = "") -> list[str]:
    """Prints all that `parse` reads; `root` is another tree than the host's own, for tests."""
    return ["sh", "-c", _SCRIPT, "sh", root]


def engine_facts(engine: str) -> list[str]:
    """Prints whether the engine runs without root, and its runtime."""
    if engine.endswith("docker"):
        return [engine, "info", "--format", "{{.DefaultRuntime}} {{.SecurityOptions}}"]
    return [engine, "info", "--format", "{{.Host.OCIRuntime.Name}} {{.Host.Security.Rootless}}"]


@dataclass(frozen=True)
class Card:
    """A display device on the PCI bus.

    Attributes:
        address: on the bus: 0000:03:00.0.
        vendor: as sysfs has it: 0x1002; so is `device`.
        driver: of the kernel; empty: none.
        node: name of its render node; empty: none.
    """

    address: str
    vendor: str
    device: str
    driver: str = ""
    node: str = ""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a host says of its cards.

    Attributes:
        nodes: render node -> numeric group, mode.
        groups: numeric, of the user who starts containers.
        module: whether the kernel has the driver amdgpu; `loaded`: whether it runs.
        firmware: whether firmware of the 400 and 500 series is there.
        nomodeset: whether the kernel was told to leave cards alone.
    """

    cards: tuple[Card, ...] = ()
    nodes: dict[str, tuple[int, int]] = field(default_factory=dict)
    user: str = ""
    uid: int = 0
    groups: frozenset[int] = frozenset()
    kernel: str = ""
    module: bool = False
    loaded: bool = False
    firmware: bool = False
    nomodeset: bool = False


@dataclass(frozen=True)
class EngineFacts:
    """How an engine runs containers."""

    name: str
    runtime: str
    rootless: bool


@dataclass(frozen=True)
class Access:
    """What containers are given to get at the cards.

    Attributes:
        nodes: device nodes, a card each.
        groups: for `--group-add`.
    """

    nodes: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    def of_replica(self, number: int) -> tuple[str, ...]:
        """The node of replica `number` (from 1): replicas take turns at the cards."""
        return (self.nodes[(number - 1) % len(self.nodes)],) if self.nodes else ()


NONE = Access()
"""Of a host that declares no card."""


def parse(text: str) -> Facts:
    """Reads what the script of `facts` printed."""
    cards, nodes, words = [], {}, {}
    for line in text.splitlines():
        key, *rest = line.split()
        if key == "card":
            address, vendor, device, driver, node = rest
            cards.append(Card(address, vendor, device, driver.strip("-"), node.strip("-")))
        elif key == "node":
            nodes[rest[0]] = (int(rest[1]), int(rest[2], 8))
        else:
            words[key] = rest
    user, uid, *groups = words.get("user", ["", "0"])
    return Facts(
        cards=tuple(cards),
        nodes=nodes,
        user=user,
        uid=int(uid),
        groups=frozenset(int(group) for group in groups),
        kernel=" ".join(words.get("kernel", [])),
        module="module" in words,
        loaded="loaded" in words,
        firmware="firmware" in words,
        nomodeset="nomodeset" in words,
    )


def parse_engine(engine: str, text: str) -> EngineFacts:
    """Reads what `engine_facts` printed."""
    runtime, _, rest = text.strip().partition(" ")
    return EngineFacts(
        engine.rpartition("/")[2], runtime, rest == "true" or "name=rootless" in rest
    )


def access(found: Facts, engine: EngineFacts) -> Access:
    """What containers have to be given.

    Raises:
        ValueError: no container can get at a card here; the cause and its cure.
    """
    if cause := why_no_node(found):
        raise ValueError(cause)
    mine = [card.node for card in found.cards if card.node in found.nodes and _is_ours(card)]
    groups: list[str] = []
    for node in mine:
        gid, mode = found.nodes[node]
        if mode & _OTHERS_MAY_USE != _OTHERS_MAY_USE:
            groups.append(_group(f"{NODES}/{node}", gid, found, engine))
    nodes = tuple(f"{NODES}/{node}" for node in mine)
    return Access(nodes, tuple(sorted(set(groups))))


def why_no_node(found: Facts) -> str | None:
    """Why the host has no card that can be used; None where it has one. Cause and cure."""
    amd = [card for card in found.cards if card.vendor == AMD]
    if not amd:
        others = ", ".join(f"{c.vendor}:{c.device}" for c in found.cards) or "none"
        return (
            f"there is no AMD card on the PCI bus (got {others}). Look whether it sits in its slot "
            "and has power"
        )
    if any(_is_ours(card) and card.node in found.nodes for card in amd):
        return None
    if found.nomodeset:
        return "the kernel was started with nomodeset. Take that out of its command line and reboot"
    strangers = sorted({c.driver for c in amd if c.driver not in ("", DRIVER)})
    if strangers:
        return (
            f"the kernel driver of the card is {', '.join(strangers)}, not {DRIVER}. Take that "
            "driver off it and reboot"
        )
    return _why_driver_idle(found, amd)


def _why_driver_idle(found: Facts, amd: Sequence[Card]) -> str:
    if not found.module and not found.loaded:
        return (
            f"the kernel {found.kernel} has no driver {DRIVER}. Install one that has it "
            "(Debian: linux-image-amd64, not the cloud one; Ubuntu: linux-image-generic) and reboot"
        )
    if not found.loaded:
        return f"the kernel driver {DRIVER} is not loaded. Run `sudo modprobe {DRIVER}`"
    if not any(card.node for card in amd):
        if not found.firmware:
            return (
                "the firmware of the card is missing. Install firmware-amd-graphics (Ubuntu: "
                "linux-firmware) and reboot"
            )
        return (
            f"the kernel driver {DRIVER} did not start the card. Look at its lines in `sudo dmesg`"
        )
    return (
        f"there is no device node in {NODES} for it. Run `sudo udevadm trigger`, or give this host "
        "the node where it is a container itself"
    )


def _is_ours(card: Card) -> bool:
    return card.vendor == AMD and card.driver == DRIVER


def _group(node: str, gid: int, found: Facts, engine: EngineFacts) -> str:
    """What `--group-add` has to say for a node that is not open to all.

    Raises:
        ValueError: nothing helps; the cause and its cure.
    """
    if not engine.rootless:
        return str(gid)
    if engine.name == "docker":
        raise ValueError(
            f"Docker without root cannot give a container the group {gid} of {node}. Use Podman "
            f"with crun, or {OPEN_NODE}"
        )
    if engine.runtime != "crun":
        raise ValueError(
            f"Podman without root keeps groups with crun only (got {engine.runtime}). Install crun "
            f'and set `runtime = "crun"` in containers.conf, or {OPEN_NODE}'
        )
    if gid not in found.groups:
        raise ValueError(
            f"the user {found.user} is not in the group {gid} of {node}. Run `sudo usermod -aG "
            f"{gid} {found.user}` and log in again"
        )
    return KEEP_GROUPS
