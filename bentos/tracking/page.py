"""Opens MLflow's page on what was recorded, on this machine's loopback alone.

The command `python -m bentos.tracking.page`.
"""

import argparse
import os
import socket
import sys
from collections.abc import Sequence
from typing import NoReturn

from bentos.tracking import journal

DEFAULT_PORT = 5000
_HOST = "127.0.0.1"
_LOWEST, _HIGHEST = 1024, 65535


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: it becomes MLflow's server; 1 where that cannot start, with one line."""
    parser = argparse.ArgumentParser(
        prog="python -m bentos.tracking.page", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="default: %(default)s")
    port = parser.parse_args(arguments).port
    if fault := _fault(port):
        sys.stderr.write(f"mlflow: {fault}\n")
        return 1
    sys.stdout.write(f"mlflow: http://{_HOST}:{port} (Ctrl-C ends it)\n")
    sys.stdout.flush()
    return _become(port)


def _become(port: int) -> NoReturn:
    """MLflow's server in place of this process, so that Ctrl-C is its own."""
    os.execve(sys.executable, _command(port), journal.environment())  # noqa: S606  no shell


def _fault(port: int) -> str | None:
    if not journal.database().is_file():
        return f"{journal.database()}: no run was recorded yet. Run make models."
    if not _LOWEST <= port <= _HIGHEST:
        return f"the port should be from {_LOWEST} to {_HIGHEST} (got {port}). Choose another PORT."
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError as error:
            return f"port {port} cannot be used ({error.strerror}). Choose another with PORT=5001."
    return None


def _command(port: int) -> list[str]:
    return [
        *(sys.executable, "-m", "mlflow", "server", "--host", _HOST, "--port", str(port)),
        *("--backend-store-uri", f"sqlite:///{journal.database()}"),
        *("--default-artifact-root", (journal.folder() / "artifacts").as_uri()),
        *("--allowed-hosts", f"{_HOST}:{port},localhost:{port}"),
        *("--cors-allowed-origins", f"http://{_HOST}:{port},http://localhost:{port}"),
        *("--workers", "1", "--no-serve-artifacts", "--x-frame-options", "DENY"),
    ]


if __name__ == "__main__":
    sys.exit(main())
