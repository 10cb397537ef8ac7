"""What engines and file systems say when they refuse, word for word, and the cure for each."""

import pytest

from infra import complaints

GROUP = "Add this user to the group docker (`sudo usermod -aG docker $USER`) and log in again."
IDS = (
    "Give this user ids for containers (`sudo usermod --add-subuids 100000-165535 "
    "--add-subgids 100000-165535 $USER`), then run `podman system migrate`."
)


@pytest.mark.parametrize(
    ("engine", "complaint", "cure"),
    [
        (
            "docker",
            "permission denied while trying to connect to the Docker daemon socket at "
            'unix:///var/run/docker.sock: Get "http://%2Fvar%2Frun%2Fdocker.sock/v1.45/version": '
            "dial unix /var/run/docker.sock: connect: permission denied",
            GROUP,
        ),
        (
            "docker",
            "permission denied while trying to connect to the docker API at "
            "unix:///var/run/docker.sock",
            GROUP,
        ),
        (
            "docker",
            "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker "
            "daemon running?",
            "Start it (`sudo systemctl start docker`).",
        ),
        (
            "docker",
            "Error response from daemon: client version 1.24 is too old. Minimum supported API "
            "version is 1.44, please upgrade your client to a newer version",
            "Bring the docker command and Docker's daemon to one version.",
        ),
        (
            "docker",
            "no answer in 30 s",
            "Restart it; `sudo systemctl restart docker` does so for Docker.",
        ),
        (
            "podman",
            "cannot find UID/GID for user ana: no subuid ranges found for user "
            '"ana" in /etc/subuid - check rootless mode in man pages.',
            IDS,
        ),
        (
            "podman",
            "Error: potentially insufficient UIDs or GIDs available in user namespace (requested "
            "0:42 for /etc/gshadow): Check /etc/subuid and /etc/subgid",
            IDS,
        ),
        (
            "podman",
            "running `/usr/bin/newuidmap 812 0 1000 1`: newuidmap: write to uid_map failed: "
            "Operation not permitted\nError: cannot set up namespace: exit status 1",
            IDS,
        ),
        (
            "podman",
            "Error: command required for rootless mode with multiple IDs: exec: "
            '"newuidmap": executable file not found in $PATH',
            "Install uidmap (`sudo apt install uidmap`).",
        ),
        (
            "podman",
            "Error: creating runtime temporary files directory: mkdir /run/user/0/libpod: "
            "permission denied",
            "Log in as this user, not with su, or run `sudo loginctl enable-linger $USER`.",
        ),
        (
            "podman",
            "cannot clone: Operation not permitted\nError: cannot re-exec process",
            "Allow user namespaces (`sudo sysctl -w kernel.unprivileged_userns_clone=1`).",
        ),
        (
            "podman",
            "Error: could not find a working conmon binary (configured options: [/usr/bin/conmon])",
            "Install a container runtime (`sudo apt install crun`).",
        ),
        (
            "podman",
            "Error: mkdir /var/lib/containers/storage/tmp: no space left on device",
            "Make room where the engine keeps its images.",
        ),
        (
            "podman",
            "Error: mkdir /var/lib/containers: read-only file system",
            "Mount the engine's folder so that it may be written to.",
        ),
        ("podman", "not installed", "Otherwise."),
        ("podman", "something that nobody has seen", "Otherwise."),
        ("docker", "", "Otherwise."),
    ],
    ids=[
        "docker's socket",
        "docker's socket, newer words",
        "docker's daemon is stopped",
        "an old client",
        "silence",
        "no ids",
        "too few ids",
        "ids refused",
        "no newuidmap",
        "no session",
        "no user namespaces",
        "no runtime",
        "no room",
        "read only",
        "not there",
        "unknown",
        "empty",
    ],
)
def test_an_engines_complaint_has_its_cure(engine: str, complaint: str, cure: str) -> None:
    assert complaints.cure({engine: complaint}, "Otherwise.") == cure


def test_one_engines_words_are_no_cure_for_the_other() -> None:
    said = "permission denied while trying to connect to the Docker daemon socket"

    assert complaints.cure({"podman": said}, "Otherwise.") == "Otherwise."


def test_each_engine_gets_its_own_cure_and_none_is_told_twice() -> None:
    no_room = "mkdir: no space left on device"
    room = "Make room where the engine keeps its images."

    assert complaints.cure({"podman": no_room, "docker": no_room}, "Otherwise.") == room
    assert complaints.cure(
        {"podman": "not installed", "docker": "Cannot connect to the Docker daemon at x"}, "-"
    ) == ("Start it (`sudo systemctl start docker`).")


@pytest.mark.parametrize(
    ("complaint", "cure"),
    [
        (
            "mkdir: cannot create directory '/srv/a b': Permission denied",
            "Give it to the user who runs this: sudo chown -R $USER '/srv/a b'",
        ),
        (
            "chmod: changing permissions of '/srv/a b': Operation not permitted",
            "Give it to the user who runs this: sudo chown -R $USER '/srv/a b'",
        ),
        ("mkdir: /srv: Read-only file system", "Mount it so that it may be written to."),
        ("mkdir: /srv: No space left on device", "Make room on its disk."),
        (
            "mkdir: cannot create directory '/srv/a b': Not a directory",
            "Move away the file that stands in its place.",
        ),
        ("Input/output error", "Mend that, then run the same command again."),
    ],
    ids=["another's", "another's mode", "read only", "full", "a file", "unknown"],
)
def test_a_folder_that_cannot_be_written_to_has_its_cure(complaint: str, cure: str) -> None:
    assert complaints.folder_cure("/srv/a b", complaint) == cure


@pytest.mark.parametrize(
    ("complaint", "told"),
    [
        ("one\ntwo  \n\n", "two"),
        ("", "no message"),
        ("\n \n", "no message"),
        ("x" * 400, "x" * 300),
    ],
    ids=["the last", "none", "blank", "long"],
)
def test_of_a_complaint_the_last_line_that_says_something_is_told(
    complaint: str, told: str
) -> None:
    assert complaints.last_line(complaint) == told
