"""Runs the service in one process, without BentoML's supervisor: the container's command."""

from service import signals

signals.end_at_once()  # before the imports below, which take a second

# ruff: noqa: E402
import asyncio
import logging
import os
import sys

import uvloop

from bentos.catalog import MODELS
from service import allocator, connections, contract, settings
from service.inner import listen
from service.process import Process
from service.server import Server
from service.telemetry import configure_logs


def main() -> int:
    """Serves until it is told to stop; what keeps it from starting is one line on stderr."""
    try:
        told = settings.read(os.environ)
        configure_logs(json_logs=told.json_logs, whole_process=True)
        allocator.spare_memory()
        connections.raise_limit()
        process = Process(told, MODELS)
        listener = listen(told.host, told.port, contract.ENV_PORT)
        longest_s = contract.BODY_TIMEOUT_S + max(m.deadline_ms for m in MODELS.values()) / 1000
        server = Server(process, told.drain_s, longest_s)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(server.run_until_stopped(listener, told.host))
    except (ValueError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if not process.settled or process.marks():
        logging.shutdown()
        os._exit(0)  # a thread is inside of a library, which may not outlive what exit takes down
    return 0


if __name__ == "__main__":
    sys.exit(main())
