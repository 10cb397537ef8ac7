"""A bare machine of a distribution, as a container with its own systemd: what a new host is like.

Its image is the distribution's own where a registry is reached, else made from its packages. Not
what a machine has beside: a kernel, a boot loader, disks, an SSH server.
"""

import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from infra.connection import COMMAND_TIMEOUT_S, Done, Unreachable
from infra.host import Host, Paths

BOOT_TIMEOUT_S = 60
HOOKS = "/usr/share/mmdebstrap/hooks/merged-usr"


@dataclass(frozen=True)
class Distribution:
    """One of the systems that hosts may have."""

    system: str
    version: str
    suite: str
    mirror: str
    keyring: str
    components: str

    @property
    def name(self) -> str:
        return f"{self.system}-{self.version}"

    @property
    def tag(self) -> str:
        return f"localhost/bentofleet-test/box:{self.name}"

    @property
    def official(self) -> str:
        return f"docker.io/library/{self.system}:{self.version}"


def _debian(version: str, suite: str) -> Distribution:
    keys = "/usr/share/keyrings/debian-archive-keyring.gpg"
    return Distribution("debian", version, suite, "http://deb.debian.org/debian", keys, "main")


def _ubuntu(version: str, suite: str) -> Distribution:
    keys = "/usr/share/keyrings/ubuntu-archive-keyring.gpg"
    mirror = "http://archive.ubuntu.com/ubuntu"
    return Distribution("ubuntu", version, suite, mirror, keys, "main universe")


DISTRIBUTIONS = (
    _debian("12", "bookworm"),
    _debian("13", "trixie"),
    _ubuntu("22.04", "jammy"),
    _ubuntu("24.04", "noble"),
)


class NoImage(Exception):
    """The distribution cannot be had here: why."""


def podman(
    *arguments: str, stdin: bytes | None = None, timeout_s: float = 600
) -> subprocess.CompletedProcess[bytes]:
    """Runs this machine's Podman, which keeps the boxes."""
    return subprocess.run(
        ["podman", *arguments], input=stdin, capture_output=True, timeout=timeout_s, check=False
    )


def make_image(distribution: Distribution) -> None:
    """Makes the box's image unless it is there.

    Raises:
        NoImage: neither a registry nor the distribution's archive is reached.
    """
    if podman("image", "exists", distribution.tag).returncode == 0:
        return
    pulled = podman("pull", "--quiet", distribution.official, timeout_s=120)
    if pulled.returncode == 0:
        _build_on(distribution)
        return
    with tempfile.TemporaryDirectory(prefix="bentofleet-box-") as folder:
        Path(folder).chmod(0o755)  # apt reads the keys in it as a user of its own
        _bootstrap(distribution, Path(folder) / "box.tar")


def _tools(distribution: Distribution) -> list[str]:
    """What a server has and the smallest image lacks."""
    polkit = "policykit-1" if distribution.version == "22.04" else "polkitd"
    merged = ["usr-is-merged"] if distribution.system == "debian" else []
    return ["apt", "systemd-sysv", "dbus", "libpam-systemd", "sudo", polkit, *merged]


def _build_on(distribution: Distribution) -> None:
    packages = " ".join(_tools(distribution))
    recipe = (
        f"FROM {distribution.official}\n"
        "RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y "
        f"--no-install-recommends {packages}\n"
    )
    arguments = ("build", "--network", "host", "--tag", distribution.tag, "--file", "-")
    done = podman(*arguments, stdin=recipe.encode(), timeout_s=900)
    if done.returncode != 0:
        raise NoImage(_end(done.stderr))


def _bootstrap(distribution: Distribution, tar: Path) -> None:
    is_debian = distribution.system == "debian"
    argv = [
        "mmdebstrap",
        "--variant=minbase",
        # Debian's own merge of /usr; its second half asks for a package that Ubuntu does not have
        f"--hook-dir={HOOKS}" if is_debian else f'--setup-hook={HOOKS}/setup00.sh "$1"',
        f"--include={','.join(_tools(distribution))}",
        '--aptopt=APT::Install-Recommends "false"',
        f"--components={distribution.components}",
        f"--keyring={_keyring(distribution, tar.parent)}",
        "--dpkgopt=path-exclude=/usr/share/doc/*",
        "--dpkgopt=path-exclude=/usr/share/man/*",
        "--customize-hook=rm -f $1/etc/apt/apt.conf.d/99mmdebstrap $1/etc/resolv.conf",
        distribution.suite,
        str(tar),
        distribution.mirror,
    ]
    done = subprocess.run(argv, capture_output=True, timeout=900, check=False)
    if done.returncode == 0:
        done = podman("import", "--quiet", str(tar), distribution.tag)
    if done.returncode != 0:
        raise NoImage(_end(done.stderr))


def _keyring(distribution: Distribution, folder: Path) -> Path:
    """The keys that the archive is signed with; Debian 13 has Ubuntu's in a package."""
    here = Path(distribution.keyring)
    if here.exists():
        return here
    source = DISTRIBUTIONS[1]
    make_image(source)
    script = (
        "apt-get update >&2 && apt-get install -y --no-install-recommends ubuntu-keyring >&2 && "
        f"cat {distribution.keyring}"
    )
    done = podman("run", "--rm", "--network", "host", source.tag, "sh", "-c", script)
    if done.returncode != 0:
        raise NoImage(_end(done.stderr))
    keys = folder / here.name
    keys.write_bytes(done.stdout)
    return keys


def _end(text: bytes) -> str:
    return text.decode(errors="replace").strip()[-300:]


BOOT = (
    # systemd from 256 on wants the unified hierarchy, whatever the machine around has
    "umount -R /sys/fs/cgroup 2>/dev/null; mount -t cgroup2 none /sys/fs/cgroup; "
    "echo 0123456789abcdef0123456789abcdef >/etc/machine-id; exec /sbin/init"
)


@contextmanager
def box(distribution: Distribution) -> Iterator[str]:
    """A box that has booted: its container's name. It is gone afterwards."""
    name = f"bentofleet-test-box-{uuid.uuid4().hex[:8]}"
    started = podman(
        *("run", "--detach", "--name", name, "--privileged", "--network", "host"),
        *("--cgroupns", "private", "--systemd", "always", "--env", "container=podman"),
        # a disk of its own: engines keep images on no overlay
        *("--volume", "/var/lib", "--volume", "/home", distribution.tag, "sh", "-c", BOOT),
    )
    try:
        assert started.returncode == 0, _end(started.stderr)
        _wait_for_boot(name)
        yield name
    finally:
        podman("rm", "--force", "--time", "0", "--volumes", name)


def reboot(name: str) -> None:
    """Ends all that runs in a box, and boots it again."""
    done = podman("restart", "--time", "10", name)
    assert done.returncode == 0, _end(done.stderr)
    _wait_for_boot(name)


def _wait_for_boot(name: str) -> None:
    end, said = time.monotonic() + BOOT_TIMEOUT_S, ""
    while time.monotonic() < end:
        done = podman("exec", name, "systemctl", "is-system-running")
        said = done.stdout.decode().strip()
        if said in ("running", "degraded"):
            return
        time.sleep(0.5)
    log = podman("logs", name)
    raise AssertionError(f"the box did not boot ({said}): {_end(log.stdout + log.stderr)}")


class Inside:
    """A connection into a box, as root or as another user: what SSH is to a machine."""

    def __init__(self, host: Host, container: str, user: str = "root") -> None:
        self.host = host
        self._container = container
        self._user = user

    @property
    def is_root(self) -> bool:
        return self._user == "root"

    def run(
        self,
        argv: Sequence[str],
        stdin: str | bytes = "",
        timeout_s: float = COMMAND_TIMEOUT_S,
    ) -> Done:
        given = stdin.encode() if isinstance(stdin, str) else stdin
        where = ("--user", self._user, "--workdir", "/", "--env", f"HOME={self.home()}")
        try:
            done = podman(
                *("exec", "--interactive", *where, self._container, *argv),
                stdin=given,
                timeout_s=timeout_s,
            )
        except subprocess.TimeoutExpired as e:
            raise Unreachable(f"{self.host.name}: {argv[0]} did not end") from e
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    def machine_id(self) -> str:
        return self.run(["cat", "/etc/machine-id"]).out.strip()

    def paths(self) -> Paths:
        if self.is_root:
            return Paths(PurePosixPath("/var/lib/bentofleet") / self.host.stack)
        return Paths(self.home() / ".local/share/bentofleet" / self.host.stack)

    def home(self) -> PurePosixPath:
        return PurePosixPath("/root" if self.is_root else f"/home/{self._user}")

    def has(self, program: str) -> bool:
        return self.run(["sh", "-c", 'command -v "$1"', "sh", program]).status == 0

    def operator(self) -> str:
        return "test"

    def local_port(self, port: int) -> int:
        return port

    def reverse_port(self, local_port: int) -> int:
        return local_port

    def close(self) -> None:
        pass
