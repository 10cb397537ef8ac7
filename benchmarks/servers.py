"""Starts the server of an arrangement, and lets it in only when it answers as the others do."""

import contextlib
import http.client
import json
import math
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks import plan
from benchmarks.load import Hit
from benchmarks.plan import Arrangement, Batching
from benchmarks.processes import Tree
from benchmarks.rivals import same
from service import contract

HOST = "127.0.0.1"
MOSEC_PROJECT = same.ROOT / "tools" / "mosec"
MOSEC_ENVIRONMENT = same.ROOT / "build" / "tools" / "mosec"
_READY_S = 90
_APP = "benchmarks.rivals"
_LEAST_DIGITS = 1e-3  # answers are rounded to less


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What all servers of one run share.

    Attributes:
        core: of the servers.
        jwks: the key set that tokens are checked with.
        hits: by kind of load, what is sent, with a token.
        expected: by kind of load, the model's own fields of the answer.
        logs: folder for what servers say.
    """

    core: int
    jwks: Path
    hits: Mapping[str, Hit]
    expected: Mapping[str, Mapping[str, object]]
    logs: Path


@dataclass(frozen=True)
class Server:
    """One that runs."""

    tree: Tree
    url: str


def start(bench: Bench, arrangement: Arrangement, batching: Batching | None = None) -> Server:
    """Starts it and waits for nothing; `ready` does.

    Args:
        bench: what is shared.
        arrangement: to serve.
        batching: mosec's setting.
    """
    port = _free_port()
    name = arrangement.name if batching is None else f"{arrangement.name}-{batching.size}"
    tree = Tree(
        _command(arrangement, port),
        core=bench.core,
        environ=_environ(bench, arrangement, port, batching),
        log=bench.logs / f"{name}.log",
        folder=same.ROOT,
    )
    return Server(tree, f"http://{HOST}:{port}")


def bare(bench: Bench) -> Server:
    """Starts the server that only answers, and waits until it does.

    Raises:
        ValueError: it does not; one line.
    """
    port = _free_port()
    tree = Tree(
        [sys.executable, "-m", "benchmarks.bare", str(port)],
        core=bench.core,
        environ=environ(bench),
        log=bench.logs / "bare.log",
        folder=same.ROOT,
    )
    server = Server(tree, f"http://{HOST}:{port}")
    end = time.monotonic() + _READY_S
    while _asked(server.url, Hit(method="GET", path="/"))[0] != http.client.OK:
        if tree.process.poll() is not None or time.monotonic() > end:
            tree.stop()
            raise ValueError(f"bare: does not answer ({tree.last_line()}). See {tree.log}.")
        time.sleep(0.1)
    return server


def ready(server: Server, bench: Bench, arrangement: Arrangement) -> None:
    """Waits until it gives the answers that the model gives without any server.

    Raises:
        ValueError: it ended, stayed silent, or answers otherwise; one line.
    """
    end = time.monotonic() + _READY_S
    for what in arrangement.what:
        hit, expected = bench.hits[what], bench.expected[what]
        while (seen := _asked(server.url, hit))[0] != http.client.OK:
            log = server.tree.log
            if server.tree.process.poll() is not None:
                raise ValueError(
                    f"{arrangement.name}: ended ({server.tree.last_line()}). See {log}."
                )
            if time.monotonic() > end:
                raise ValueError(
                    f"{arrangement.name}: gave no good answer for {what} in {_READY_S} s "
                    f"(got {seen[0] or 'no connection'}). See {log}."
                )
            time.sleep(0.1)
        if not is_same(expected, json.loads(seen[1])):
            raise ValueError(f"{arrangement.name}: answers otherwise (got {seen[1][:120]!r}).")


def sync_mosec() -> None:
    """Makes the environment of tools/mosec as its lock has it.

    Raises:
        ValueError: it cannot be made; one line.
    """
    kept = {n: v for n, v in os.environ.items() if n != "VIRTUAL_ENV"}
    try:
        done = subprocess.run(
            ["uv", "sync", "--frozen", "--quiet", "--project", MOSEC_PROJECT],
            env={**kept, "UV_PROJECT_ENVIRONMENT": str(MOSEC_ENVIRONMENT)},
            capture_output=True,
            text=True,
        )
    except OSError as error:
        raise ValueError(f"mosec: uv cannot be run ({error}).") from error
    if done.returncode:
        why = (done.stderr.strip() or "it said nothing").splitlines()[-1]
        raise ValueError(f"mosec: its packages cannot be had ({why}).")


def described(url: str) -> Mapping[str, object]:
    """The paths in our service's own OpenAPI document."""
    with urllib.request.urlopen(url + contract.OPENAPI, timeout=10) as answer:  # noqa: S310  ours
        found: Mapping[str, object] = json.load(answer)["paths"]
        return found


def is_same(expected: Mapping[str, object], answer: object) -> bool:
    """Whether an answer has these fields with these values, up to rounding."""
    return isinstance(answer, dict) and all(
        name in answer and _alike(value, answer[name]) for name, value in expected.items()
    )


def _alike(one: object, other: object) -> bool:
    match one, other:
        case ((float() | int()), (float() | int())):
            return math.isclose(one, other, rel_tol=_LEAST_DIGITS, abs_tol=_LEAST_DIGITS)
        case dict(), dict():
            return one.keys() == other.keys() and all(_alike(one[k], other[k]) for k in one)
        case list(), list():
            return len(one) == len(other) and all(map(_alike, one, other))
    return one == other


def _command(arrangement: Arrangement, port: int) -> list[str]:
    python, form = sys.executable, arrangement.name.partition("-")[2] or "plain"
    match arrangement.rival:
        case plan.OURS:
            return [python, "-m", "service"]
        case plan.FASTAPI:
            loop = ["--loop", "uvloop", "--http", "httptools", "--no-access-log"]
            app = ["-m", "uvicorn", f"{_APP}.fastapi_app:{form}", "--factory", *loop]
            return [python, *app, "--host", HOST, "--port", str(port)]
        case plan.BENTOML:
            app = ["-m", "bentoml", "serve", f"{_APP}.bentoml_app:{form.capitalize()}"]
            return [python, *app, "--host", HOST, "--port", str(port)]
        case _:
            run = ["uv", "run", "--frozen", "--no-sync", "--project", str(MOSEC_PROJECT)]
            app = ["python", "-m", f"{_APP}.mosec_app", "--log-level", "warning"]
            return [*run, *app, "--address", HOST, "--port", str(port)]


def environ(bench: Bench) -> dict[str, str]:
    """What every process of the benchmark is given; our service's own settings are left out."""
    kept = {n: v for n, v in os.environ.items() if not n.startswith("BENTOFLEET_")}
    return {
        **kept,
        "PYTHONPATH": str(same.ROOT),
        "PYTHONUNBUFFERED": "1",
        contract.ENV_JWKS: str(bench.jwks),
    }


def _environ(
    bench: Bench, arrangement: Arrangement, port: int, batching: Batching | None
) -> dict[str, str]:
    given = environ(bench)
    if arrangement.rival == plan.OURS:
        given |= {
            contract.ENV_HOST: HOST,
            contract.ENV_PORT: str(port),
            contract.ENV_METRICS_PORT: str(_free_port()),
            contract.ENV_RELEASE: "bench",
            contract.ENV_DRAIN_S: "0",
            contract.ENV_AUTH: "jwt" if arrangement.asks == plan.EVERYTHING else "off",
        }
    elif arrangement.rival == plan.MOSEC and batching:
        given |= {
            "UV_PROJECT_ENVIRONMENT": str(MOSEC_ENVIRONMENT),
            "BENCH_MOSEC_CHECKED": str(int(arrangement.asks != plan.NOTHING)),
            "BENCH_MOSEC_BATCH": str(batching.size),
            "BENCH_MOSEC_WAIT_MS": str(batching.wait_ms),
        }
        given.pop("VIRTUAL_ENV", None)
    return given


def _asked(url: str, hit: Hit) -> tuple[int, bytes]:
    """Status and body; 0 where there is no connection."""
    headers = {"content-type": hit.content_type, "authorization": f"Bearer {hit.token}"}
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
    body = hit.body.read_bytes() if hit.body else None
    with contextlib.closing(connection):
        try:
            connection.request(hit.method, hit.path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return 0, b""


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
