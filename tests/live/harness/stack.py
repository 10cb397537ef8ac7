"""A stack of the tests' own under the real engine: own state, ports and folder, real containers."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.crowd import Crowd, post
from infra import stack_file
from infra.commands import containers
from infra.host import Host, Ports, other_slot
from infra.provider import live
from infra.provider.machine import Machine, open_machine

ROOT = Path(__file__).resolve().parents[3]
NAME = "live-test"
PORT = 18443
PORTS_FROM = 23000
TIMEOUT_S = 400


class LiveStack:
    """The stack, its file, and `pulumi` on it."""

    def __init__(self, folder: Path, name: str = NAME) -> None:
        self.name = name
        self.root = ROOT
        self.file = stack_file.path_of(name)
        self.url = f"http://127.0.0.1:{PORT}"
        self.ports = Ports(PORTS_FROM)
        self.keys = folder / "keys"
        passphrase = folder / "passphrase"
        passphrase.write_text("only for this test run")
        (folder / "state").mkdir()
        self.state = folder / "state"
        self.reports = ROOT / "reports" / name
        self.environ = {
            **os.environ,
            "PULUMI_BACKEND_URL": f"file://{folder}/state",
            "PULUMI_CONFIG_PASSPHRASE_FILE": str(passphrase),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }
        self.settings: dict[str, Any] = {
            "kind": "local",
            "hosts": [{"name": "here", "address": "127.0.0.1", "connection": "local"}],
            "edge": {"address": "127.0.0.1", "port": PORT, "ports_from": PORTS_FROM},
            "gate": {"profile": "short"},
            # other programs share this machine: the SLO asks for answers, not for speed, and a
            # smaller success ratio needs fewer samples, so that the gate is short; so for the floor
            "slo": {"latency_p95_ms": 2000, "min_rps": 10, "success_ratio": 0.9},
            # a canary takes its time: a test that is about one asks for it
            "rollout": {"keep": 2, "drain_timeout_s": 20, "floor": 0.05, "canary": []},
        }

    def sweep(self) -> None:
        """Removes what a run that was killed has left: containers, image tags, files."""
        self.file.unlink(missing_ok=True)
        machine = self.machine()
        for container in machine.containers():
            machine.remove_container(container.name)
        for role in ("service", "edge"):
            for tag in machine.image_tags(f"localhost/bentofleet-{self.name}/{role}"):
                machine.run(containers.remove_tag(machine.engine, tag))
        machine.remove(machine.paths.root)

    def make(self) -> None:
        """Keys, file and place in the state."""
        self.python("service.tokens", "new-key", "--out-dir", str(self.keys))
        self._write()
        self.pulumi("stack", "init", self.name)
        jwks = (self.keys / "jwks.json").read_text()
        self.pulumi(
            "config", "set", "--plaintext", "bentofleet:tokens-jwks", "-s", self.name, stdin=jwks
        )
        key = (self.keys / "token-key.pem").read_text()
        self.pulumi(
            "config", "set", "--secret", "bentofleet:tokens-key", "-s", self.name, stdin=key
        )

    def change(self, **sections: dict[str, Any]) -> None:
        """Changes settings in the stack's file; what is not named stays."""
        for name, values in sections.items():
            self.settings[name] = {**self.settings.get(name, {}), **values}
        self._write()

    def _write(self) -> None:
        content = yaml.safe_load(self.file.read_text()) if self.file.exists() else {"config": {}}
        content["config"]["bentofleet:stack"] = self.settings
        self.file.write_text(yaml.safe_dump(content))

    def up(self, *flags: str) -> "subprocess.CompletedProcess[str]":
        """`pulumi up`, whatever comes of it."""
        return self.run("pulumi", "up", "--yes", "--skip-preview", "-s", self.name, *flags)

    def pulumi(self, *words: str, stdin: str = "", backend: str | None = None) -> str:
        """A pulumi command that must succeed; its output."""
        done = self.run("pulumi", *words, "--non-interactive", stdin=stdin, backend=backend)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def python(self, *words: str) -> str:
        """A Python module that must succeed; its output."""
        done = self.run(sys.executable, "-m", *words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def run(
        self, *argv: str, stdin: str = "", backend: str | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Any command in the stack's environment; `backend` is another place of the state."""
        return subprocess.run(
            argv,
            input=stdin,
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=self.environ | ({"PULUMI_BACKEND_URL": backend} if backend else {}),
            timeout=TIMEOUT_S,
            check=False,
        )

    def token(self) -> str:
        """A token for a user."""
        key = str(self.keys / "token-key.pem")
        return self.python("service.tokens", "issue", "--key", key, "--scope", "predict")

    def post(
        self, token: str | None, model: str = "energy", change: dict[str, float] | None = None
    ) -> tuple[int, dict[str, object]]:
        """One prediction through the edge."""
        return post(self.url, token, model, change)

    def live(self) -> live.Live:
        """The release that the host says is live."""
        now = live.read(self.machine())
        assert now is not None
        return now

    def replicas(self) -> list[containers.Running]:
        """Every replica there, of whatever release."""
        return [c for c in self.machine().containers() if c.role == "replica"]

    def up_in(self, slot: str) -> int:
        """How many replicas of a slot the edge counts as up."""
        return sum(
            s.is_up and s.group == "slot" for s in self.machine().edge_servers() if s.slot == slot
        )

    def start_up(self, environ: dict[str, str] | None = None) -> "subprocess.Popen[str]":
        """`pulumi up` in the background."""
        argv = ["pulumi", "up", "--yes", "--skip-preview", "--non-interactive", "-s", self.name]
        return subprocess.Popen(
            argv,
            cwd=ROOT,
            env=self.environ | (environ or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def start_up_to_the_gate(self) -> "subprocess.Popen[str]":
        """`pulumi up` in the background, once its gate sends requests to the candidate."""
        process = self.start_up()
        candidate = other_slot(self.live().slot)
        deadline, before = time.monotonic() + 120, None
        while time.monotonic() < deadline and process.poll() is None:
            # counted, for none may be in work when we look; a reload begins at 0 again
            now = sum(s.requests for s in self.machine().edge_servers() if s.slot == candidate)
            if before is not None and now > before:
                return process
            before = now
            time.sleep(0.2)
        pytest.fail(f"the gate did not start: {process.communicate()[0]}")

    def make_up(self) -> "subprocess.CompletedProcess[str]":
        """What `make up ARGS=--yes` does."""
        cleared = self.run(sys.executable, "-m", "infra.unlock", "--stack", self.name, "--if-dead")
        return cleared if cleared.returncode else self.up()

    def crowd(self, *, kept: int = 0, fresh: int = 4, pause_s: float = 0.02) -> Crowd:
        """Users that ask for energy all the time."""
        return Crowd(self.url, self.token(), kept=kept, fresh=fresh, pause_s=pause_s)

    def output(self, name: str) -> str:
        """One of the stack's outputs."""
        return self.pulumi("stack", "output", name, "-s", self.name).strip()

    def latest_verdict(self) -> dict[str, Any]:
        """What the last attempt's verdict.json says."""
        verdict: dict[str, Any] = json.loads((self.reports / "latest/verdict.json").read_text())
        return verdict

    def machine(self) -> Machine:
        """The stack's first host as the provider sees it: this machine."""
        return self.here()

    def here(self) -> Machine:
        """This machine, on which images are built."""
        return open_machine(
            Host(
                name="here",
                address="127.0.0.1",
                connection="local",
                accelerator="cpu",
                stack=self.name,
                ports_from=PORTS_FROM,
            )
        )


def provider_of(pulumi: int) -> int:
    """Process id of our provider, a child of `pulumi`."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = path.read_text().rpartition(")")[2].split()
            command = (path.parent / "cmdline").read_text()
        except (FileNotFoundError, ProcessLookupError):  # it ended since the folder was read
            continue
        if int(words[1]) == pulumi and "infra.provider" in command:
            return int(path.parent.name)
    pytest.fail("the provider is not running")


def wait_until(is_so: Callable[[], bool], what: str, timeout_s: float = 90) -> float:
    """Until it is so; the seconds it took. Fails with `what` when the time is over."""
    started = time.monotonic()
    while not is_so():
        assert time.monotonic() < started + timeout_s, what
        time.sleep(0.25)
    return time.monotonic() - started


def is_as_before(stack: LiveStack, before: live.Live) -> bool:
    """Whether `before` alone is there, with all its replicas, and nobody walks."""
    machine = stack.machine()
    return (
        live.read(machine) == before
        and machine.edge_live() == before.slot
        and {c.labels[containers.RELEASE_LABEL] for c in stack.replicas()} == {before.release}
        and machine.read(machine.paths.lock) is None
    )
