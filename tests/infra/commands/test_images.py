"""Command lines that bring images to hosts, whole."""

import pytest

from infra.commands import images

DIGEST = "sha256:" + "0" * 64
OURS = f"127.0.0.1:40000/bentofleet-lab/service/1a2b3c4d@{DIGEST}"
THEIRS = f"ghcr.io/org/bentofleet/service@{DIGEST}"


@pytest.mark.parametrize(
    ("engine", "reference", "login", "expected"),
    [
        ("podman", OURS, None, f"podman pull --quiet --tls-verify=false {OURS}"),
        ("docker", OURS, None, f"docker pull --quiet {OURS}"),
        ("podman", THEIRS, None, f"podman pull --quiet {THEIRS}"),
        (
            "podman",
            THEIRS,
            "/x/pull",
            f"podman pull --quiet --authfile /x/pull/config.json {THEIRS}",
        ),
        ("docker", THEIRS, "/x/pull", f"docker --config /x/pull pull --quiet {THEIRS}"),
    ],
)
def test_a_pull_is_by_digest_and_in_clear_on_loopback_alone(
    engine: str, reference: str, login: str | None, expected: str
) -> None:
    timed = f"timeout --kill-after=10 300 {expected}"
    assert images.pull(engine, reference, 300.0, login) == timed.split()


@pytest.mark.parametrize(
    ("registry", "is_clear"),
    [
        ("localhost:5000", True),
        ("localhost", True),
        ("127.0.0.1:5000", True),
        ("127.0.0.2", True),
        ("registry.example.org:5000", False),
        ("localhost.example.org", False),
        ("1127.example.org", False),
    ],
)
def test_only_a_registry_on_this_machine_may_speak_in_clear(registry: str, is_clear: bool) -> None:
    argv = images.pull("podman", f"{registry}/service@{DIGEST}", 300.0)

    assert ("--tls-verify=false" in argv) == is_clear


def test_a_push_keeps_the_images_id_and_tells_its_digest() -> None:
    tag, name = "localhost/bentofleet/service:cpu-1", "ghcr.io/org/service:cpu-1"

    assert (
        images.push("podman", tag, name, "/y", "/y/digest")
        == (
            "podman push --quiet --format v2s2 --digestfile /y/digest --authfile /y/config.json "
            f"{tag} docker://{name}"
        ).split()
    )
    assert images.push("docker", tag, name, None, "/y/digest") == ["docker", "push", name]


def test_layers_are_read_image_by_image() -> None:
    assert images.parse_layers('["sha256:a","sha256:b"]\n["sha256:a"]\nnull\n') == [
        ["sha256:a", "sha256:b"],
        ["sha256:a"],
    ]


def test_only_what_was_pulled_through_loopback_under_the_name_is_found_again() -> None:
    told = f"""\
127.0.0.1:40000/lab/service/1a2b <none> {DIGEST}
127.0.0.1:41234/lab/service/1a2b <none> {DIGEST}
127.0.0.1:41234/lab/service/ffff <none> {DIGEST}
localhost/lab/service/1a2b 1 {DIGEST}
evil127.0.0.1:1/lab/service/1a2b <none> {DIGEST}
127.0.0.1:40000/labXservice/1a2b <none> {DIGEST}
"""

    assert images.pulled(told, "lab/service/1a2b") == [
        f"127.0.0.1:40000/lab/service/1a2b@{DIGEST}",
        f"127.0.0.1:41234/lab/service/1a2b@{DIGEST}",
    ]


def test_docker_without_root_is_told_by_its_daemon_and_reads_from_standard_input() -> None:
    assert images.security("docker")[:2] == ["docker", "info"]
    assert images.is_rootless('["name=seccomp,profile=builtin","name=rootless","name=cgroupns"]')
    assert not images.is_rootless('["name=apparmor","name=seccomp,profile=builtin"]')
    assert images.load("docker", 300.0)[2:] == ["300", "docker", "load", "--quiet"]


def test_tags_of_a_repository_are_found_once() -> None:
    told = f"lab/part 1 {DIGEST}\nlab/part 1 sha256:f\nlab/part <none> {DIGEST}\nlab/part2 1 x\n"

    assert images.tagged(told, "lab/part") == ["lab/part:1"]
