"""Whether a container can get at a graphics card: bus, driver, firmware, device node, rights."""

from collections.abc import Iterator

from infra.commands import gpu
from infra.doctor.checks import cards, engine
from infra.doctor.checks.cards import Card
from infra.doctor.facts import Facts
from infra.doctor.kinds import Finding, Kind, ok
from infra.doctor.wanted import Wanted

_RULE = (
    f"let a udev rule open the node to all: `echo '{gpu.UDEV_RULE}' | sudo tee {gpu.UDEV_FILE}`, "
    "then `sudo udevadm control --reload && sudo udevadm trigger --subsystem-match=drm`; a render "
    "node computes and shows no screen"
)

NO_CARD = Kind(
    "error",
    "gpu.no-card",
    "there is no AMD card on the PCI bus",
    "Look whether it sits in its slot, has both its power plugs, and is on in the board's BIOS; "
    "or write `accelerator: cpu` for this host.",
)
NO_BUS = Kind(
    "unchecked",
    "gpu.no-bus",
    "whether there is a card could not be found out",
    "Look at `lspci -nn | grep VGA` on the host.",
)
UNTRIED = Kind(
    "warning",
    "gpu.untried",
    "this card is none of the RX 470 to 590",
    "It may work with Mesa's driver RADV: whether its answers are right, the golden answers tell.",
)
NOMODESET = Kind(
    "error",
    "gpu.nomodeset",
    "the kernel was told to leave cards alone",
    "Take nomodeset out of GRUB_CMDLINE_LINUX in /etc/default/grub, then `sudo update-grub` and "
    "reboot.",
)
BLACKLISTED = Kind(
    "error",
    "gpu.blacklisted",
    "the driver amdgpu is kept from loading",
    "Take that line out of its file in /etc/modprobe.d, then `sudo update-initramfs -u` and "
    "reboot.",
)
OTHER_DRIVER = Kind(
    "error",
    "gpu.other-driver",
    "another driver than amdgpu has the card {address}",
    "Take it off that driver (vfio-pci: a virtual machine's; radeon: too old for this card), then "
    "reboot.",
)
NO_MODULE = Kind(
    "error",
    "gpu.no-module",
    "this kernel has no driver amdgpu",
    "Debian: `sudo apt install linux-image-amd64`, not the cloud kernel; Ubuntu: `sudo apt install "
    "linux-modules-extra-$(uname -r)`. Then reboot.",
)
NOT_LOADED = Kind(
    "error",
    "gpu.not-loaded",
    "the driver amdgpu is not loaded",
    "Run `sudo modprobe amdgpu`; if that fails, `sudo dmesg | grep amdgpu` tells why.",
)
NO_FIRMWARE = Kind(
    "error",
    "gpu.no-firmware",
    "the card's firmware is not installed, and without it the driver gives up",
    "Debian: `sudo apt install firmware-amd-graphics` (component non-free-firmware); Ubuntu: "
    "`sudo apt install linux-firmware`. Then `sudo update-initramfs -u` and reboot.",
)
NOT_STARTED = Kind(
    "error",
    "gpu.not-started",
    "the driver amdgpu is loaded and did not start the card {address}",
    "`sudo dmesg | grep amdgpu` tells why; a riser or a power plug is the usual cause when it "
    "speaks of the BIOS or of a time-out.",
)
NO_NODE = Kind(
    "error",
    "gpu.no-node",
    "the driver runs, and there is no device node for the card {address}",
    "Run `sudo udevadm trigger --subsystem-match=drm`; where this host is a container itself, give "
    "it /dev/dri.",
)
NO_DOCKER_GROUPS = Kind(
    "error",
    "gpu.rootless-docker",
    "Docker without root cannot hand the group of {node} into a container",
    f"Use Podman with crun, or {_RULE}.",
)
NO_CRUN = Kind(
    "error",
    "gpu.no-crun",
    "Podman without root hands groups into a container with crun alone",
    'Run `sudo apt install crun` and set `runtime = "crun"` under `[engine]` in '
    f"~/.config/containers/containers.conf, or {_RULE}.",
)
NOT_IN_GROUP = Kind(
    "error",
    "gpu.not-in-group",
    "the user {user} is not in the group of {node}",
    f"Run `sudo usermod -aG {{group}} {{user}}` and log in again, or {_RULE}.",
)
SOFTWARE = Kind(
    "warning",
    "gpu.software",
    "`software_device: true` is set: Vulkan runs on the processor, for tests",
    "Take it out of the stack's file where a card is to do the work.",
)


def check(facts: Facts, wanted: Wanted) -> Iterator[Finding]:
    """Findings about the way to the card; the first obstacle hides what lies behind it."""
    if wanted.software_device:
        yield SOFTWARE.found()
        return
    found = cards.of(facts)
    ours = [card for card in found if card.is_amd]
    if not ours:
        if "card" in facts.unknown or not facts.is_whole:
            yield NO_BUS.found(got=facts.why_unknown("card"))
        else:
            yield NO_CARD.found(got=", ".join(card.name for card in found) or "no display device")
        return
    good = [card for card in ours if card.driver == gpu.DRIVER and _has_node(facts, card)]
    if not good:
        yield _why_not(facts, ours[0])
        return
    for card in good:
        told = f"{card.address}: {card.name}, {card.driver}, {card.render_node}"
        if not card.is_polaris:
            yield UNTRIED.found(got=card.name)
        yield _why_closed(facts, wanted, card) or ok("gpu.usable", told)


def usable(facts: Facts) -> list[Card]:
    """The cards that the driver has started."""
    return [c for c in cards.of(facts) if c.is_amd and c.driver == gpu.DRIVER]


def _has_node(facts: Facts, card: Card) -> bool:
    return card.render_node is not None and card.render_node in _nodes(facts)


def _nodes(facts: Facts) -> dict[str, list[str]]:
    """Render node -> mode, uid, gid, user, group, `usable` or `closed`."""
    return {words[0]: words[1:] for words in map(str.split, facts.all("node")) if len(words) == 7}


def _why_not(facts: Facts, card: Card) -> Finding:
    if "nomodeset" in (facts.one("cmdline") or "").split():
        return NOMODESET.found(got="nomodeset in /proc/cmdline")
    if card.driver not in ("", gpu.DRIVER):
        return OTHER_DRIVER.found(got=card.driver, address=card.address)
    if card.driver == gpu.DRIVER and card.render_node is not None:
        return NO_NODE.found(got=f"no /dev/dri/{card.render_node}", address=card.address)
    return _why_driver_idle(facts, card)


def _why_driver_idle(facts: Facts, card: Card) -> Finding:
    module = facts.one("module")
    if module != "loaded" and facts.all("blacklist"):
        return BLACKLISTED.found(got=facts.one("blacklist"))
    if module == "none":
        return NO_MODULE.found(got=f"kernel {facts.one('kernel')}")
    if module != "loaded":
        return NOT_LOADED.found(got="no /sys/module/amdgpu")
    if card.is_polaris and not facts.all("firmware"):
        return NO_FIRMWARE.found(got="no /lib/firmware/amdgpu/polaris10_mc.bin")
    last = next(iter(facts.all("log.line")[-1:]), "no line in the kernel's log")
    return NOT_STARTED.found(got=last, address=card.address)


def _why_closed(facts: Facts, wanted: Wanted, card: Card) -> Finding | None:
    """Why a container of this engine could not open the node; None where it can."""
    node = f"{gpu.NODES}/{card.render_node}"
    mode, _, gid, _, group, _ = _nodes(facts)[card.render_node or ""]
    if mode.endswith("6") or not engine.is_rootless(facts):
        return None  # open to all, or root hands in the group's number
    if engine.in_use(facts) == "docker":
        return NO_DOCKER_GROUPS.found(got=f"mode {mode}, group {group}", node=node)
    if engine.runtime_of(facts) != "crun":
        return NO_CRUN.found(got=engine.runtime_of(facts))
    if gid not in facts.all("gid"):
        user = facts.one("user") or wanted.user
        groups = ", ".join(facts.all("group"))
        return NOT_IN_GROUP.found(got=groups, user=user, node=node, group=group)
    return None
