"""What goes wrong on a site, done to the tests' own stack: bad releases, kills, a reboot."""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

from harness.stack import LiveStack, wait_until
from infra.commands import containers
from infra.images import manifest

BAD = Path(__file__).parent / "bad"


class BadReleases:
    """Makes `pulumi up` deploy the service made worse in one way, until `undo`."""

    def __init__(self, stack: LiveStack, folder: Path) -> None:
        self._stack = stack
        self._folder = folder
        self._tags: set[str] = set()

    def deploy(self, kind: str) -> None:
        """Builds the worse image and names it to the next `up`; the kinds are in bad/worse.py."""
        machine, images = self._stack.here(), manifest.load(self._stack.root)
        tag = f"localhost/bentofleet/service:bad-{kind.replace(' ', '-')}"
        recipe = self._folder / "Containerfile"
        command = json.dumps(["python", "-m", "worse", kind])
        recipe.write_text(
            f"FROM {images['cpu'].tag}\nCOPY worse.py /opt/bentofleet/src/worse.py\nCMD {command}\n"
        )
        machine.run([machine.engine, "build", "--tag", tag, "--file", str(recipe), str(BAD)])
        self._tags.add(tag)
        entries: dict[str, Any] = {
            name: {"tag": i.tag, "image_id": i.image_id, "bento": i.bento, "inputs": dict(i.inputs)}
            for name, i in images.items()
        }
        entries["cpu"] |= {"tag": tag, "image_id": machine.image_id(tag)}
        (self._folder / "images.json").write_text(json.dumps(entries))
        self._stack.environ[manifest.VARIABLE] = str(self._folder / "images.json")

    def undo(self) -> None:
        """The next `up` deploys what was built last again."""
        self._stack.environ.pop(manifest.VARIABLE, None)

    def remove(self) -> None:
        """Undoes, and takes the worse images away."""
        self.undo()
        machine = self._stack.here()
        for tag in self._tags:
            machine.run(containers.remove_tag(machine.engine, tag))


def kill_replicas(stack: LiveStack, count: int) -> float:
    """Kills the processes of `count` live replicas; seconds until all serve again."""
    machine, now = stack.machine(), stack.live()
    asked = "{{.State.Pid}} {{.RestartCount}}"
    victims = [c.name for c in stack.replicas() if c.is_running][:count]

    def processes() -> list[list[str]]:
        argv = [machine.engine, "inspect", "--format", asked, *victims]
        return [line.split() for line in machine.run(argv).splitlines()]

    before = processes()
    started = time.monotonic()
    for pid, _ in before:
        os.kill(int(pid), signal.SIGKILL)

    def are_back() -> bool:
        pairs = zip(processes(), before, strict=True)
        restarted = all(int(new[1]) > int(old[1]) for new, old in pairs)
        return restarted and stack.up_in(now.slot) == now.replicas

    wait_until(are_back, "the killed replicas did not come back")
    return time.monotonic() - started


def restart_edge(stack: LiveStack) -> float:
    """Stops the edge and starts it again; seconds until users are answered."""
    machine, now = stack.machine(), stack.live()
    started = time.monotonic()
    machine.run([machine.engine, "stop", "--time", "2", machine.edge_name])
    machine.run([machine.engine, "start", machine.edge_name])
    wait_until(lambda: stack.post(stack.token())[0] == 200, "the edge does not answer")
    assert machine.edge_live() == now.slot
    return time.monotonic() - started


def reboot(stack: LiveStack) -> float:
    """Kills every container, then runs the start unit's script; seconds until all serve again."""
    machine, now = stack.machine(), stack.live()
    started = time.monotonic()
    machine.run([machine.engine, "kill", *(c.name for c in machine.containers() if c.is_running)])
    machine.run(["sh", str(machine.paths.start)])
    wait_until(lambda: stack.up_in(now.slot) == now.replicas, "live did not come back")
    return time.monotonic() - started
