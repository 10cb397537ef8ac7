"""What the provider says while `pulumi up` runs, and whether anybody is still there to hear it."""

import socket
import threading

import grpc
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

PING_TIMEOUT_S = 2.0


class Console:
    """Lines on a resource's row in `pulumi up`, and the two ways in which an update ends early."""

    def __init__(self, engine_address: str, urn: str, stopped: threading.Event) -> None:
        self._address = engine_address
        self._urn = urn
        self.stopped = stopped
        """Set on Ctrl-C: whoever works must put back and end."""

    def say(self, line: str, passing: bool = False) -> None:
        """Prints a line; a passing one is only shown while it is true (on a terminal)."""
        self._log(engine_pb2.INFO, line, passing)

    def warn(self, line: str) -> None:
        """Prints a warning."""
        self._log(engine_pb2.WARNING, line, False)

    def _log(self, severity: int, line: str, passing: bool) -> None:
        try:
            with grpc.insecure_channel(self._address) as channel:
                engine_pb2_grpc.EngineStub(channel).Log(
                    engine_pb2.LogRequest(
                        severity=severity,  # type: ignore[arg-type]
                        message=line,
                        urn=self._urn,
                        ephemeral=passing,
                    ),
                    timeout=PING_TIMEOUT_S,
                )
        except grpc.RpcError:
            return  # nobody listens: the walk finds that out by `engine_answers` and stops

    def engine_answers(self) -> bool:
        """Whether the engine that started us lives: after `kill -9` of pulumi it does not."""
        name, _, port = self._address.rpartition(":")
        try:
            with socket.create_connection((name, int(port)), timeout=PING_TIMEOUT_S):
                return True
        except OSError:
            return False
