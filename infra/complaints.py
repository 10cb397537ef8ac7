"""What a container engine's or a file system's complaint means for a person: the cure, in a line.

Knows words only: runs nothing, and looks at nothing but what it is given. Standard library only.
"""

import re
import shlex
from collections.abc import Mapping

_ENGINE_CURES = {
    r"docker: .*permission denied while trying to connect": (
        "Add this user to the group docker (`sudo usermod -aG docker $USER`) and log in again."
    ),
    r"podman: .*(no sub[ug]id ranges found|insufficient [ug]ids|new[ug]idmap: .*not permitted)": (
        "Give this user ids for containers (`sudo usermod --add-subuids 100000-165535 "
        "--add-subgids 100000-165535 $USER`), then run `podman system migrate`."
    ),
    r"podman: .*new[ug]idmap.*not found": "Install uidmap (`sudo apt install uidmap`).",
    r"podman: .*(/run/user/|xdg_runtime_dir|runroot must be set|no such user session)": (
        "Log in as this user, not with su, or run `sudo loginctl enable-linger $USER`."
    ),
    r"podman: .*(cannot clone|user namespaces are not enabled)": (
        "Allow user namespaces (`sudo sysctl -w kernel.unprivileged_userns_clone=1`)."
    ),
    r"podman: .*(could not find a working|oci runtime .*not found|default oci runtime)": (
        "Install a container runtime (`sudo apt install crun`)."
    ),
    r"(client|api) version .* is too (new|old)": (
        "Bring the docker command and Docker's daemon to one version."
    ),
    r"no space left on device|disk quota exceeded": "Make room where the engine keeps its images.",
    r"read-only file system": "Mount the engine's folder so that it may be written to.",
    r"docker: .*cannot connect to the docker daemon": "Start it (`sudo systemctl start docker`).",
    r"no answer in ": "Restart it; `sudo systemctl restart docker` does so for Docker.",
}
"""What an engine says behind its name, and what is to be done; the first that fits counts."""

_FOLDER_CURES = {
    r"permission denied|operation not permitted": (
        "Give it to the user who runs this: sudo chown -R $USER {path}"
    ),
    r"read-only file system": "Mount it so that it may be written to.",
    r"no space left on device|disk quota exceeded": "Make room on its disk.",
    r"not a directory|file exists": "Move away the file that stands in its place.",
}


def last_line(complaint: str) -> str:
    """The last line that says something, at most 300 characters of it."""
    lines = [line for line in complaint.splitlines() if line.strip()]
    return lines[-1].strip()[:300] if lines else "no message"


def cure(said: Mapping[str, str], otherwise: str) -> str:
    """What to do about engines of which none serves.

    Args:
        said: engine (`docker`, `podman`) -> what it wrote to stderr, one line or all of it.
        otherwise: the sentence for complaints that are not known here.

    Returns:
        A sentence for each complaint that is known, or `otherwise`.
    """
    found = (_first(_ENGINE_CURES, f"{engine}: {words}") for engine, words in said.items())
    return " ".join(dict.fromkeys(filter(None, found))) or otherwise


def folder_cure(path: str, complaint: str) -> str:
    """What to do about a folder that cannot be made or written to; the path stands in it."""
    found = _first(_FOLDER_CURES, complaint) or "Mend that, then run the same command again."
    return found.format(path=shlex.quote(path))


def _first(cures: Mapping[str, str], said: str) -> str | None:
    flags = re.IGNORECASE | re.DOTALL
    return next((told for words, told in cures.items() if re.search(words, said, flags)), None)
