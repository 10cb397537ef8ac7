"""Other doors to the same service: `bentoml serve`, and the image alone as the README runs it."""

import contextlib
import json
import re
import shlex
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator

from harness.stack import NAME, ROOT, LiveStack, wait_until
from infra.images import manifest
from service import contract

_ALONE = f"{NAME}-alone"
_README = re.compile(r"^podman run .*$", re.M)


@contextlib.contextmanager
def bentoml_serve(stack: LiveStack) -> Iterator[str]:
    """`bentoml serve` with the stack's key set; its address, which `wait` waits for."""
    port = free_port()
    environ = {
        "BENTOML_HOME": str(ROOT / "build" / "bentoml"),
        **stack.environ,
        contract.ENV_JWKS: str(stack.keys / "jwks.json"),
        contract.ENV_METRICS_PORT: "0",
        contract.ENV_DRAIN_S: "0",
    }
    command = (sys.executable, "-m", "bentoml", "serve", "--host", "127.0.0.1", "--port", str(port))
    process = subprocess.Popen(
        command, cwd=ROOT, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


@contextlib.contextmanager
def image_alone(stack: LiveStack) -> Iterator[str]:
    """The image, run by the README's own command with the stack's key set; its address."""
    port, engine = free_port(), stack.machine().engine
    found = _README.search((ROOT / "README.md").read_text())
    assert found
    tag = manifest.load(ROOT)["cpu"].tag
    command = found[0]
    for said, meant in (
        ("podman run", f"{engine} run --detach --name {_ALONE}"),
        ("3000:3000", f"127.0.0.1:{port}:3000"),
        ("$PWD/build/keys", str(stack.keys)),
        ("localhost/bentofleet/service:<tag>", tag),
    ):
        assert command.count(said) == 1
        command = command.replace(said, meant)
    stack.run(engine, "rm", "--force", _ALONE)  # of a run that was killed
    done = stack.run(*shlex.split(command))
    assert done.returncode == 0, done.stderr
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        stack.run(engine, "rm", "--force", _ALONE)


def wait(url: str) -> None:
    """Until the service there is ready."""
    wait_until(lambda: _is_ready(url), f"{url} did not get ready")


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url + contract.READYZ, timeout=5) as reply:  # noqa: S310
            return bool(reply.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def reasons(url: str) -> list[str]:
    """Why the service there is not ready; empty where it is, or where nothing answers yet."""
    try:
        with urllib.request.urlopen(url + contract.READYZ, timeout=5):  # noqa: S310
            return []
    except urllib.error.HTTPError as error:
        return list(json.loads(error.read())["reasons"])
    except (urllib.error.URLError, OSError):
        return []


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
