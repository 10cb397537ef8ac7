"""Groups that a host needs: the one that owns the GPU's node, and the one that may ask Docker."""

RENDER = "render"
"""Owns /dev/dri/renderD* on Debian and Ubuntu, where udev's own rule names it."""

DOCKER = "docker"
"""Docker's package makes it and leaves it behind when it is removed."""

NAMES = (RENDER, DOCKER)

_PATH = 'PATH="$PATH:/usr/sbin:/sbin"; '


def needed(accelerator: str, *, software: bool) -> tuple[str, ...]:
    """Groups that a host of this accelerator must have; a device in software needs none."""
    return (RENDER,) if accelerator == "vulkan" and not software else ()


def make(name: str) -> list[str]:
    """Makes a system group, and lets udev give nodes to it; no fault when it is there."""
    script = (
        f'{_PATH}getent group "$1" >/dev/null || groupadd --system "$1" || exit 1; '
        "if command -v udevadm >/dev/null; then "
        "udevadm control --reload; udevadm trigger --subsystem-match=drm; fi; true"
    )
    return ["sh", "-c", script, "sh", name]


def remove(name: str) -> list[str]:
    """Removes a group, unless somebody is in it; no fault when it is not there."""
    script = (
        f'{_PATH}line=$(getent group "$1") || exit 0; [ -z "${{line##*:}}" ] || exit 0; '
        'groupdel "$1"'
    )
    return ["sh", "-c", script, "sh", name]
