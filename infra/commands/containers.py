"""Command lines for the container engine (Docker or Podman), and how to read what it answers."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from infra.commands import rotation

STACK_LABEL = "bentofleet.stack"
ROLE_LABEL = "bentofleet.role"
RELEASE_LABEL = "bentofleet.release"
SLOT_LABEL = "bentofleet.slot"
NUMBER_LABEL = "bentofleet.number"
SPEC_LABEL = "bentofleet.spec"
"""Hash of everything a container was started with: another hash means other settings."""

PIDS = 512


@dataclass(frozen=True, kw_only=True)
class Container:
    """What one container is started with.

    Attributes:
        ports: host port on loopback -> container port; not used with the host's network.
        mounts: host folder -> container folder, read-only; labelled for SELinux where there is one.
        tmpfs: container folder -> size in MiB.
        devices: nodes below /dev of the host that it may use.
        groups: numeric, that its process has besides; or Podman's `keep-groups`.
        capabilities: rights that it keeps, without `CAP_`; none for all but a few.
        user: numeric, other than the image's; so `entrypoint` and `stop_signal`.
    """

    name: str
    image: str
    labels: Mapping[str, str]
    memory_mib: int
    env: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[int, int] = field(default_factory=dict)
    mounts: Mapping[str, str] = field(default_factory=dict)
    tmpfs: Mapping[str, int] = field(default_factory=dict)
    devices: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    host_network: bool = False
    command: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    user: str = ""
    entrypoint: str = ""
    stop_signal: str = ""

    @property
    def spec(self) -> str:
        """Hash of all settings but the name, 16 hex digits."""
        text = json.dumps([_settings(self), self.image, self.command, sorted(self.labels.items())])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def run(engine: str, container: Container) -> list[str]:
    """Starts `container` detached: unprivileged, read-only root, restarted when it fails.

    `on-failure` and not `always`: after a reboot only our start script brings containers back,
    so that a dead candidate does not come to life again.
    """
    labels = {**container.labels, SPEC_LABEL: container.spec}
    return [
        engine,
        "run",
        "--detach",
        "--name",
        container.name,
        *_pairs("--label", labels),
        *_settings(container),
        *rotation.options(engine),
        container.image,
        *container.command,
    ]


def _settings(container: Container) -> list[str]:
    network = ["--network", "host"] if container.host_network else []
    others = {
        "--user": container.user,
        "--entrypoint": container.entrypoint,
        "--stop-signal": container.stop_signal,
    }
    return [
        "--restart",
        "on-failure",
        "--no-healthcheck",  # the edge's check is the truth here; Podman's needs systemd besides
        "--read-only",
        "--cap-drop",
        "ALL",
        "--security-opt",
        "no-new-privileges",
        "--pids-limit",
        str(PIDS),
        "--memory",
        f"{container.memory_mib}m",
        *network,
        *(word for right in container.capabilities for word in ("--cap-add", right)),
        *(word for flag, value in others.items() if value for word in (flag, value)),
        *(word for node in container.devices for word in ("--device", node)),
        *(word for group in container.groups for word in ("--group-add", group)),
        *(
            word
            for path, size in container.tmpfs.items()
            for word in ("--tmpfs", f"{path}:rw,nosuid,nodev,noexec,size={size}m,mode=1777")
        ),
        *(
            word
            for port, inner in container.ports.items()
            for word in ("--publish", f"127.0.0.1:{port}:{inner}")
        ),
        *(
            word
            for source, target in container.mounts.items()
            for word in ("--volume", f"{source}:{target}:ro,z")
        ),
        *_pairs("--env", container.env),
    ]


def _pairs(flag: str, values: Mapping[str, str]) -> list[str]:
    """Sorted: the same settings are the same command line, whatever order a state keeps them in."""
    return [word for key in sorted(values) for word in (flag, f"{key}={values[key]}")]


def list_ids(engine: str, stack: str) -> list[str]:
    """All containers of a stack, running or not: one id a line."""
    return [
        engine,
        "ps",
        "--all",
        "--quiet",
        "--no-trunc",
        "--filter",
        f"label={STACK_LABEL}={stack}",
    ]


def inspect(engine: str, ids: Iterable[str]) -> list[str]:
    """Everything the engine knows about the containers, as a JSON list."""
    return [engine, "inspect", "--type", "container", *ids]


def stop(engine: str, names: Iterable[str], timeout_s: int) -> list[str]:
    """Asks containers to end, and kills them after `timeout_s`."""
    return [engine, "stop", "--time", str(timeout_s), *names]


def kill(engine: str, name: str, signal: str) -> list[str]:
    """Sends a signal to a container's first process."""
    return [engine, "kill", "--signal", signal, name]


def remove(engine: str, name: str) -> list[str]:
    """Removes a container, running or not; also when it is not there."""
    return [engine, "rm", "--force", name]


def rename(engine: str, old: str, new: str) -> list[str]:
    """Gives a container another name."""
    return [engine, "rename", old, new]


def logs(engine: str, name: str, since: str | None, lines: int) -> list[str]:
    """The last lines that a container printed, each with its time."""
    after = ["--since", since] if since else []
    return [engine, "logs", "--timestamps", *after, "--tail", str(lines), name]


def log_end(engine: str, name: str, lines: int) -> list[str]:
    """The last lines that a container printed, as they are."""
    return [engine, "logs", "--tail", str(lines), name]


def image_id(engine: str, tag: str) -> list[str]:
    """The id of the image with `tag`; fails when there is none."""
    return [engine, "image", "inspect", "--format", "{{.Id}}", tag]


def image_tags(engine: str, repository: str) -> list[str]:
    """All tags of a repository, a `name:tag` a line."""
    return [engine, "images", "--format", "{{.Repository}}:{{.Tag}}", repository]


def tag_image(engine: str, source: str, tag: str) -> list[str]:
    """Gives an image a second name."""
    return [engine, "tag", source, tag]


def remove_tag(engine: str, tag: str) -> list[str]:
    """Takes a tag away; the layers go with the last one."""
    return [engine, "rmi", tag]


def version(engine: str) -> list[str]:
    """Fails when the engine does not answer, or its daemon does not."""
    asked = "{{.Server.Version}}" if engine.endswith("docker") else "{{.Version}}"
    return [engine, "version", "--format", asked]


@dataclass(frozen=True, kw_only=True)
class Running:
    """A container as the engine reports it.

    Attributes:
        status: the engine's word: running, exited, created, restarting...
        image_id: without `sha256:`.
        started_at: ISO 8601, as the engine writes it.
        image: tag that it was started from.
        memory_mib: its memory limit now; None where it was not told, as is `env`.
    """

    name: str
    status: str
    image_id: str
    labels: Mapping[str, str]
    started_at: str
    restarts: int
    out_of_memory: bool = False
    image: str = ""
    memory_mib: int | None = None
    env: Mapping[str, str] | None = None
    is_log_bounded: bool = True

    @property
    def is_running(self) -> bool:
        """Whether its process lives."""
        return self.status == "running"

    def differs_from(self, wanted: Container) -> str | None:
        """How it differs from what was declared, by label or changed afterwards; None: not."""
        if self.spec != wanted.spec:
            return "started with other settings"
        if self.memory_mib not in (None, wanted.memory_mib):
            return f"has another memory limit ({self.memory_mib} MiB)"
        if not self.is_log_bounded:
            return "has a log without a bound"
        env = wanted.env if self.env is None else self.env
        changed = sorted(key for key in wanted.env if env.get(key) != wanted.env[key])
        return f"has other settings ({', '.join(changed)})" if changed else None

    @property
    def role(self) -> str:
        """`edge` or `replica`; empty for a container that only borrowed our label."""
        return self.labels.get(ROLE_LABEL, "")

    @property
    def spec(self) -> str:
        """Hash of what it was started with."""
        return self.labels.get(SPEC_LABEL, "")


def is_gone(complaint: str) -> bool:
    """Whether the engine only complains that a container is not there (any more)."""
    lines = [line for line in complaint.lower().splitlines() if line.strip()]
    return bool(lines) and all("no such " in line for line in lines)


def parse_inspect(text: str) -> list[Running]:
    """Reads `inspect`'s answer, Docker's or Podman's."""
    return [_running(item) for item in json.loads(text or "[]")]


def _running(item: dict[str, Any]) -> Running:
    state, config, settings = item["State"], item["Config"], item.get("HostConfig", {})
    return Running(
        name=item["Name"].removeprefix("/"),
        status=str(state["Status"]).lower(),
        image_id=short_id(item["Image"]),
        labels=config.get("Labels") or {},
        started_at=str(state.get("StartedAt", "")),
        restarts=int(item.get("RestartCount", 0)),
        out_of_memory=bool(state.get("OOMKilled", False)),
        image=str(config.get("Image", "")),
        memory_mib=settings.get("Memory", 0) >> 20,
        is_log_bounded=rotation.is_bounded(settings.get("LogConfig")),
        env=dict(pair.partition("=")[::2] for pair in config.get("Env") or []),
    )


def short_id(image_id: str) -> str:
    """An image id without its algorithm, as both engines can be compared by."""
    return image_id.strip().removeprefix("sha256:")
