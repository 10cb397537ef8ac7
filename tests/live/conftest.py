"""A stack of the tests' own under the real engine: own state, ports and folder, real containers."""

import dataclasses
import json
import os
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bentos import catalog
from infra import stack_file
from infra.commands import containers
from infra.host import Host, Ports
from infra.images import manifest
from infra.provider.machine import Machine, open_machine
from service import contract

ROOT = Path(__file__).resolve().parents[2]
NAME = "live-test"
PORT = 18443
PORTS_FROM = 23000
TIMEOUT_S = 400


def post(
    url: str, token: str | None, model: str = "energy", change: dict[str, float] | None = None
) -> tuple[int, dict[str, object]]:
    """One prediction: status (0: no answer) and body; `change` changes fields of a table's row."""
    example = contract.example_request(catalog.MODELS[model])
    if change:
        body = json.dumps({**json.loads(example.body), **change}).encode()
        example = dataclasses.replace(example, body=body)
    headers = {"Content-Type": example.content_type}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(f"{url}{example.path}", example.body, headers)  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(request, timeout=15) as reply:  # noqa: S310 - loopback
            return reply.status, json.loads(reply.read())
    except urllib.error.HTTPError as e:
        return e.code, json.loads(e.read() or b"{}")
    except OSError as e:
        return 0, {"error": str(e)}


class SteadyClient:
    """Users that ask one after another on fresh connections while a test does something else."""

    def __init__(self, url: str, token: str, users: int = 4) -> None:
        self._url, self._token = url, token
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._ask) for _ in range(users)]
        self.statuses: Counter[int] = Counter()
        self.releases: Counter[str] = Counter()

    def __enter__(self) -> "SteadyClient":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        while not self._stop.wait(0.02):
            status, body = post(self._url, self._token)
            with self._lock:
                self.statuses[status] += 1
                self.releases[str(body.get("release"))] += 1


class LiveStack:
    """The stack, its file, and `pulumi` on it."""

    def __init__(self, folder: Path) -> None:
        self.name = NAME
        self.root = ROOT
        self.file = stack_file.path_of(NAME)
        self.url = f"http://127.0.0.1:{PORT}"
        self.ports = Ports(PORTS_FROM)
        self.keys = folder / "keys"
        passphrase = folder / "passphrase"
        passphrase.write_text("only for this test run")
        (folder / "state").mkdir()
        self.state = folder / "state"
        self.reports = ROOT / "reports" / NAME
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
            # other programs share this machine: the latency asks for an answer, not for speed, and
            # a smaller success ratio needs fewer samples, so that the gate is short
            "slo": {"latency_p95_ms": 2000, "min_rps": 20, "success_ratio": 0.95},
            "rollout": {"keep": 2, "drain_timeout_s": 20},
        }

    def sweep(self) -> None:
        """Removes what a run that was killed has left: containers, image tags, files."""
        self.file.unlink(missing_ok=True)
        machine = self.machine()
        for container in machine.containers():
            machine.remove_container(container.name)
        for role in ("service", "edge"):
            for tag in machine.image_tags(f"localhost/bentofleet-{NAME}/{role}"):
                machine.run(containers.remove_tag(machine.engine, tag))
        machine.remove(machine.paths.root)

    def make(self) -> None:
        """Keys, file and place in the state."""
        self.python("service.tokens", "new-key", "--out-dir", str(self.keys))
        self._write()
        self.pulumi("stack", "init", NAME)
        jwks = (self.keys / "jwks.json").read_text()
        self.pulumi(
            "config", "set", "--plaintext", "bentofleet:tokens-jwks", "-s", NAME, stdin=jwks
        )
        key = (self.keys / "token-key.pem").read_text()
        self.pulumi("config", "set", "--secret", "bentofleet:tokens-key", "-s", NAME, stdin=key)

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
        return self.run("pulumi", "up", "--yes", "--skip-preview", "-s", NAME, *flags)

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

    def steady_client(self) -> SteadyClient:
        """Users that ask all the time."""
        return SteadyClient(self.url, self.token())

    def output(self, name: str) -> str:
        """One of the stack's outputs."""
        return self.pulumi("stack", "output", name, "-s", NAME).strip()

    def latest_verdict(self) -> dict[str, Any]:
        """What the last attempt's verdict.json says."""
        verdict: dict[str, Any] = json.loads((self.reports / "latest/verdict.json").read_text())
        return verdict

    def machine(self) -> Machine:
        """This machine, as the provider sees it."""
        return open_machine(
            Host(
                name="here",
                address="127.0.0.1",
                connection="local",
                accelerator="cpu",
                stack=NAME,
                ports_from=PORTS_FROM,
            )
        )


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveStack]:
    """The stack, made before the first test and destroyed after the last, whatever happened."""
    try:
        manifest.load_fresh(ROOT)
    except ValueError as e:
        pytest.fail(f"{e} (`make test` does that first)")
    live = LiveStack(tmp_path_factory.mktemp("live"))
    live.sweep()
    live.make()
    yield live
    live.run("pulumi", "destroy", "--yes", "--skip-preview", "-s", NAME)
    live.file.unlink(missing_ok=True)
