"""Runs the service in one process, without BentoML's supervisor: the container's command."""

import asyncio
import os
import sys

import uvloop

from bentos.catalog import MODELS
from service import contract, settings
from service.inner import listen
from service.process import Process
from service.server import Server
from service.telemetry import configure_logs


def main() -> int:
    """Serves until it is told to stop; what keeps it from starting is one line on stderr."""
    try:
        told = settings.read(os.environ)
        configure_logs(json_logs=told.json_logs, whole_process=True)
        process = Process(told, MODELS)
        listener = listen(told.host, told.port, contract.ENV_PORT)
        longest_s = contract.BODY_TIMEOUT_S + max(m.deadline_ms for m in MODELS.values()) / 1000
        server = Server(process, told.drain_s, longest_s)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(server.run_until_stopped(listener, told.host))
    except (ValueError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
