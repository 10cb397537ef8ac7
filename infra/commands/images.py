"""Command lines that bring images to a host's engine, and how to read what it answers."""

import json
import re
from collections.abc import Iterable

LOOPBACK = "127.0.0.1"
KILL_S = 30
"""So long after its time a pull is surely over."""


def is_docker(engine: str) -> bool:
    """Whether it is Docker, which finds a layer again only above the same layers."""
    return engine.rpartition("/")[2] == "docker"


def pull(engine: str, reference: str, timeout_s: float, login: str | None = None) -> list[str]:
    """Gets an image from a registry. The engine checks it, because `reference` ends in a digest.

    Args:
        timeout_s: it ends itself by then: after a cut nobody is there to end it.
        login: folder on the host with a `config.json` that holds the registry's password.
    """
    return ["timeout", "--kill-after=10", f"{timeout_s:.0f}", *_pull(engine, reference, login)]


def _pull(engine: str, reference: str, login: str | None) -> list[str]:
    if is_docker(engine):
        config = ["--config", login] if login else []
        return [engine, *config, "pull", "--quiet", reference]
    file = ["--authfile", f"{login}/config.json"] if login else []
    return [engine, "pull", "--quiet", *file, *_in_clear(reference), reference]


def push(engine: str, tag: str, reference: str, login: str | None, digest_file: str) -> list[str]:
    """Brings an image to a registry.

    Docker pushes what is tagged `reference`, and prints the digest in its last line; Podman pushes
    `tag`, and writes the digest to `digest_file`.
    """
    if is_docker(engine):
        config = ["--config", login] if login else []
        return [engine, *config, "push", reference]
    file = ["--authfile", f"{login}/config.json"] if login else []
    flags = ["--quiet", "--format", "v2s2", "--digestfile", digest_file, *file]
    return [engine, "push", *flags, *_in_clear(reference), tag, f"docker://{reference}"]


def _in_clear(reference: str) -> list[str]:
    """Docker speaks plain HTTP to loopback by itself; Podman wants to be told."""
    host = reference.partition("/")[0].rpartition(":")[0] or reference.partition("/")[0]
    is_here = host == "localhost" or host.startswith("127.")
    return ["--tls-verify=false"] if is_here else []


def ids(engine: str) -> list[str]:
    """The ids of all images that have a name, one a line."""
    return [engine, "images", "--quiet", "--no-trunc"]


def layers(engine: str, image_ids: Iterable[str]) -> list[str]:
    """The digests of the layers of each image, a JSON list a line."""
    return [engine, "image", "inspect", "--format", "{{json .RootFS.Layers}}", *image_ids]


def parse_layers(text: str) -> list[list[str]]:
    """Reads the answer to `layers`."""
    found = (json.loads(line) for line in text.splitlines() if line.strip())
    return [[str(digest) for digest in item] for item in found if isinstance(item, list)]


def names(engine: str) -> list[str]:
    """All images by repository, tag and digest, one a line."""
    return [engine, "images", "--digests", "--format", "{{.Repository}} {{.Tag}} {{.Digest}}"]


def tagged(text: str, repository: str) -> list[str]:
    """The tags of a repository, from the answer to `names`; a tag that has two digests once."""
    words = (line.split() for line in text.splitlines())
    found = [f"{w[0]}:{w[1]}" for w in words if len(w) == 3 and w[0] == repository]
    return sorted(tag for tag in set(found) if not tag.endswith(":<none>"))


def pulled(text: str, repository: str) -> list[str]:
    """What was pulled through loopback under `repository`, as references that can be removed.

    Args:
        text: the answer to `names`.
        repository: without the registry's address, whose port is another one in each run.
    """
    name = re.compile(rf"{re.escape(LOOPBACK)}:\d+/{re.escape(repository)}")
    words = (line.split() for line in text.splitlines())
    return sorted({f"{w[0]}@{w[2]}" for w in words if len(w) == 3 and name.fullmatch(w[0])})


def security(engine: str) -> list[str]:
    """What Docker's daemon is confined by."""
    return [engine, "info", "--format", "{{json .SecurityOptions}}"]


def is_rootless(text: str) -> bool:
    """Whether the answer to `security` is of a daemon without root.

    Such a daemon has a network of its own, in which the host's loopback is not to be found.
    """
    return "name=rootless" in text


def load(engine: str, timeout_s: float) -> list[str]:
    """Takes an archive of images from standard input."""
    return ["timeout", "--kill-after=10", f"{timeout_s:.0f}", engine, "load", "--quiet"]


def is_in_use(complaint: str) -> bool:
    """Whether an engine does not remove an image because a container was started from it."""
    words = complaint.lower()
    return "in use by" in words or "is using" in words or "is being used by" in words
