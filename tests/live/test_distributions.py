"""A bare machine of each named distribution is prepared, and all of it taken back (`make soak`).

Each is a container with systemd of its own; apt is the real one, and so are the engine's packages.
What needs a kernel of its own is not reached: its reboot is one of systemd alone.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from harness import box
from harness.box import DISTRIBUTIONS, Distribution, Inside
from harness.console import KeptConsole

from infra.host import Host
from infra.provider import machine
from infra.provider.prepare import Prepare, host
from infra.provider.resource import Refused

pytestmark = [pytest.mark.soak, pytest.mark.live]

EVERYTHING = (
    "dpkg-query -W -f '${binary:Package} ${db:Status-Abbrev}\\n'; getent group; "
    "find /etc /var/lib /root /home /usr/local /opt -xdev "
    "\\( -path /var/lib/apt -o -path /var/lib/dpkg -o -path /var/lib/systemd \\) -prune -o -print"
)
"""Packages, groups and files: what must be the same before and after."""

LEFT = ("/etc/.pwd.lock", "/etc/group-", "/etc/gshadow-", "/etc/subgid-", "/etc/subuid-")
"""Copies that the tools for users and groups keep of the last state."""


@pytest.fixture(params=DISTRIBUTIONS, ids=lambda d: d.name, scope="module")
def container(request: pytest.FixtureRequest) -> Iterator[tuple[Distribution, str]]:
    distribution: Distribution = request.param
    try:
        box.make_image(distribution)
    except box.NoImage as e:
        pytest.skip(f"{distribution.name} cannot be had here: {e}")
    with box.box(distribution) as name:
        yield distribution, name


class Bench:
    """One host entry on the box."""

    def __init__(self, name: str, user: str = "root", **entry: Any) -> None:
        self.entry = Host(
            name="box",
            address="192.0.2.1",
            connection="ssh",
            accelerator=entry.pop("accelerator", "cpu"),
            stack="demo",
            ports_from=47000,
            **entry,
        )
        self.inside = Inside(self.entry, name, user)
        self.console = KeptConsole()
        self.state: dict[str, Any] = {
            "host": self.entry.to_inputs(),
            "address": "127.0.0.1",
            "ports": {"edge.port": 46999},
        }

    def everything(self) -> set[str]:
        return set(self.inside.run(["sh", "-c", EVERYTHING]).out.splitlines()) - set(LEFT)

    def create(self) -> None:
        self.state |= Prepare().create(self.state, self.console)

    def update(self) -> None:
        self.state |= Prepare().update(self.state, self.state, self.console)

    def drift(self) -> dict[str, str]:
        found = Prepare().look(self.state)
        return {part: words for part, words in found.items() if words != "as declared"}

    def delete(self) -> None:
        Prepare().delete(self.state, self.console)


@pytest.fixture
def enter(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes every connection of the provider lead into the box."""

    def enter(bench: Bench) -> Bench:
        for module in (host, machine):
            monkeypatch.setattr(module, "connect", lambda _: bench.inside)
        return bench

    return enter


@pytest.mark.parametrize("engine", ["podman", "docker"])
def test_a_bare_machine_is_prepared_mended_and_given_back(
    container: tuple[Distribution, str], enter: Any, engine: str
) -> None:
    distribution, name = container
    bench = enter(Bench(name, engine=engine, accelerator="vulkan"))
    before = bench.everything()

    bench.create()
    print(distribution.name, engine, bench.state["engine"], bench.console.said)  # noqa: T201
    assert bench.drift() == {}
    made = bench.everything()
    bench.update()
    assert bench.everything() == made

    unit = "/etc/systemd/system/bentofleet-demo.service"
    bench.inside.run(["rm", unit])
    bench.inside.run(["rm", "-r", "/var/lib/bentofleet/demo/keys"])
    assert bench.drift() == {"folder": "keys removed", "start unit": "removed"}
    bench.update()
    assert bench.everything() == made

    bench.delete()
    assert bench.console.warned == []
    assert bench.everything() == before


def test_a_user_without_rights_is_told_what_to_run_until_he_has_a_host(
    container: tuple[Distribution, str], enter: Any
) -> None:
    _, name = container
    root = Bench(name).inside
    root.run(["useradd", "--create-home", "--shell", "/bin/bash", "deploy"])
    root.run(["sh", "-c", "sed -i /^deploy:/d /etc/subuid /etc/subgid"])
    root.run(["systemd-run", "--unit", LOGIN, *SESSION, "--property=User=deploy", "sleep", "inf"])
    bench = enter(Bench(name, user="deploy", engine="podman"))
    told: list[str] = []
    try:
        while True:
            try:
                bench.create()
                break
            except Refused as e:
                told.append(str(e))
                assert len(told) < 4, told
                _obey(root, str(e))

        assert bench.drift() == {}
        assert ["apt-get" in told[0], "usermod" in told[1], told[2:]] == [True, True, []]
        unit = bench.inside.run(["sh", "-c", "XDG_RUNTIME_DIR=/run/user/$(id -u) " + ENABLED])
        assert unit.out.strip() == "enabled"

        bench.delete()
        assert bench.inside.run(["ls", "/var/lib/systemd/linger"]).out == ""
        ours = ["/home/deploy/.config/systemd", "/home/deploy/.local/share/bentofleet"]
        assert bench.inside.run(["ls", "-d", *ours]).out == ""  # the engine's own folders stay
    finally:
        root.run(["systemctl", "stop", LOGIN])
        root.run(["loginctl", "terminate-user", "deploy"])
        root.run(["userdel", "--remove", "--force", "deploy"])


LOGIN = "login-of-deploy"
SESSION = ("--property=PAMName=su-l",)
"""What sshd does for a login: systemd opens a session, and with it the user's folder in /run."""

ENABLED = "systemctl --user is-enabled bentofleet-demo.service"


def _obey(root: Inside, message: str) -> None:
    """Types the command that a message tells, as whoever administers the machine would."""
    command = message.partition("Run there: ")[2].partition("; or set")[0]
    done = root.run(["sh", "-c", f"apt-get update >/dev/null; {command}"], timeout_s=900)
    assert done.status == 0, done.err


TINY = (
    "tar -ch /usr/bin/sleep $(ldd /usr/bin/sleep | grep -o '/[^ ]*') 2>/dev/null "
    "| podman import --quiet - localhost/tiny"
)
"""An image of one program and the libraries that it needs, from the box itself."""

EDGE = (
    "podman run --detach --name bentofleet-demo-edge --network none "
    "--privileged --cgroupns host --pids-limit 0 localhost/tiny /usr/bin/sleep inf"
)
"""Asks cgroups for no limit and no rule on devices: those of a box may be able to give none."""

STOP = "podman stop --time 0 bentofleet-demo-edge"


def test_after_a_reboot_the_unit_starts_the_stack(
    container: tuple[Distribution, str], enter: Any
) -> None:
    _, name = container
    bench = enter(Bench(name, engine="podman"))
    bench.create()
    try:
        for step in (TINY, EDGE, STOP):
            done = bench.inside.run(["sh", "-c", step])
            assert done.status == 0, done.err

        box.reboot(name)

        unit = bench.inside.run(["systemctl", "is-active", "bentofleet-demo.service"])
        assert unit.out.strip() == "active"
        running = bench.inside.run(["podman", "ps", "--format", "{{.Names}}"])
        assert running.out.split() == ["bentofleet-demo-edge"]
        assert bench.drift() == {}
    finally:
        bench.inside.run(["sh", "-c", STOP])
        bench.inside.run(["podman", "rm", "bentofleet-demo-edge"])
        bench.inside.run(["podman", "rmi", "localhost/tiny"])
        bench.delete()
    assert bench.console.warned == []
