"""Set-up in a copy of the repository whose network is cut: one line each, nothing half done.

The programs are the real ones where the project brings them (uv, pip) or the machine may have them
(Go); engines and apt are stand-ins with the real ones' words.
"""

import os
import shutil
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra import versions

ROOT = Path(__file__).parents[2]
PARTS = (
    *("tools/setup", "tools/pulumi", "infra/__init__.py", "infra/versions.py"),
    *("infra/complaints.py", "infra/images", "pyproject.toml", "uv.lock"),
)
TOOLS = (
    *("basename", "bash", "cat", "chmod", "cmp", "cp", "cut", "date", "dirname", "env", "flock"),
    *("git", "grep", "head", "id", "install", "ln", "mkdir", "mv", "readlink", "rm", "sed", "seq"),
    *("sh", "sha256sum", "sleep", "sort", "tail", "tee", "touch", "uname", "wc"),
)
TIMEOUT_S = 240
AGAIN = "then run the same command again.\n"


class Clone:
    """A copy of what set-up reads, a PATH of its own, no caches, and every proxy a closed port."""

    def __init__(self, root: Path, closed: str) -> None:
        self.root, self.bin = root / "clone", root / "bin"
        for part in PARTS:
            there = ROOT / part
            copy = shutil.copytree if there.is_dir() else shutil.copy
            (self.root / part).parent.mkdir(parents=True, exist_ok=True)
            copy(there, self.root / part)
        self.bin.mkdir()
        for name in TOOLS:
            if found := shutil.which(name):
                (self.bin / name).symlink_to(found)
        self.program("python3", f'exec {sys.executable} "$@"')
        self.environ = {
            "PATH": str(self.bin),
            "HOME": str(root / "home"),
            "UV_PYTHON": sys.executable,
            "UV_CACHE_DIR": str(root / "uv-cache"),
            "UV_HTTP_RETRIES": "0",
            "PIP_NO_CACHE_DIR": "1",
            "PIP_RETRIES": "0",
            "PIP_INDEX_URL": f"{closed}/simple",
            "GOPROXY": closed,
            "GOPATH": str(root / "go"),
            "GOCACHE": str(root / "go-cache"),
            "GOTOOLCHAIN": "local",
            **{f"{name}_proxy": closed for name in ("http", "https", "all")},
            **{f"{name}_PROXY": closed for name in ("HTTP", "HTTPS", "ALL")},
        }

    def program(self, name: str, text: str) -> None:
        """Puts a shell script on PATH, in the place of what was there."""
        path = self.bin / name
        path.unlink(missing_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def run(self, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [f"tools/setup/{script}", *arguments],
            cwd=self.root,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )

    def refused(self, script: str, *arguments: str) -> str:
        """The one line that a script ends with."""
        done = self.run(script, *arguments)
        assert done.returncode == 1, done.stdout + done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
        return done.stderr

    def left(self) -> list[str]:
        """What stands in build/tools, without the folder of links."""
        tools = self.root / "build/tools"
        return sorted(p.name for p in tools.iterdir() if p.name != "bin") if tools.exists() else []


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Clone]:
    with socket.socket() as nobody:  # bound, never listening: whoever connects is refused
        nobody.bind(("127.0.0.1", 0))
        yield Clone(tmp_path, f"http://127.0.0.1:{nobody.getsockname()[1]}")


@pytest.fixture
def uv(clone: Clone) -> None:
    (clone.bin / "uv").symlink_to(shutil.which("uv") or ROOT / "build/tools/bin/uv")


def without_apt(clone: Clone) -> None:
    clone.program("id", 'case "$1" in -u) echo 1000;; *) echo ana;; esac')


def silent_apt(clone: Clone) -> None:
    """Root with apt, whose mirror cannot be reached: what apt 2.6 says then."""
    clone.program("id", 'case "$1" in -u) echo 0;; *) echo root;; esac')
    clone.program(
        "apt-get",
        'if [ "$1" = update ]; then\n'
        'echo "W: Failed to fetch http://deb.debian.org/debian/dists/bookworm/InRelease  '
        "Temporary failure resolving 'deb.debian.org'\" >&2\n"
        "exit 0\nfi\n"
        'echo "E: Unable to locate package podman" >&2\nexit 100',
    )


def venv_by_hand(clone: Clone) -> None:
    """`python3 -m venv`, also where Python came without it; its pip is this environment's own."""
    pip = f'exec {sys.executable} "$@" --ignore-installed --prefix'
    clone.program(
        "python3",
        f'if [ "$1" = -c ]; then exit 0; fi\nmkdir -p "$3/bin"\n'
        f"printf '#!/bin/sh\\n%s %s\\n' '{pip}' \"$3\" >\"$3/bin/python\"\n"
        'chmod +x "$3/bin/python"',
    )


def wheel_of_uv(folder: Path) -> None:
    """A package of uv's name and version whose program only tells its version."""
    folder.mkdir()
    name = f"uv-{versions.UV}"
    with zipfile.ZipFile(folder / f"{name}-py3-none-any.whl", "w") as wheel:
        program = zipfile.ZipInfo(f"{name}.data/scripts/uv")
        program.external_attr = 0o100755 << 16
        wheel.writestr(program, f"#!/bin/sh\necho uv {versions.UV}\n")
        about = f"Metadata-Version: 2.1\nName: uv\nVersion: {versions.UV}\n"
        wheel.writestr(f"{name}.dist-info/METADATA", about)
        form = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        wheel.writestr(f"{name}.dist-info/WHEEL", form)
        wheel.writestr(f"{name}.dist-info/RECORD", "")


def test_uv_is_fetched_by_the_next_run(clone: Clone, tmp_path: Path) -> None:
    venv_by_hand(clone)

    assert clone.refused("uv.sh") == (
        f"set-up: uv {versions.UV} cannot be fetched from PyPI (build/logs/setup-uv.log). "
        f"Set HTTPS_PROXY, or PIP_INDEX_URL to a mirror, or install uv, {AGAIN}"
    )
    assert not (clone.root / "build/tools/bin/uv").exists()

    wheel_of_uv(tmp_path / "wheels")
    clone.environ |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path / "wheels")}
    done = clone.run("uv.sh")

    assert (done.returncode, done.stderr) == (0, "")
    assert clone.left() == ["uv"]
    told = subprocess.run(["build/tools/bin/uv"], cwd=clone.root, capture_output=True, check=True)
    assert told.stdout.decode() == f"uv {versions.UV}\n"


@pytest.mark.usefixtures("uv")
@pytest.mark.parametrize("part", ["all", "infra"])
def test_the_python_packages_are_fetched_by_the_next_run(clone: Clone, part: str) -> None:
    assert clone.refused("python.sh", part) == (
        "set-up: the Python packages of uv.lock cannot be fetched (build/logs/setup-python.log). "
        f"Set HTTPS_PROXY, or UV_CACHE_DIR to a cache that was filled elsewhere, {AGAIN}"
    )
    assert clone.left() == []

    clone.program("uv", f'echo "$@" >>{clone.root}/asked')  # one whose network is there
    assert clone.run("python.sh", part).returncode == 0
    assert (clone.root / "asked").read_text().startswith("sync --frozen")
    assert clone.left() == (["marks"] if part == "all" else [])


@pytest.mark.usefixtures("uv")
def test_a_python_that_cannot_be_fetched_is_told_apart(clone: Clone, tmp_path: Path) -> None:
    clone.environ |= {
        "UV_PYTHON": "3.11",
        "UV_PYTHON_PREFERENCE": "only-managed",
        "UV_PYTHON_INSTALL_DIR": str(tmp_path / "pythons"),
    }

    assert clone.refused("python.sh") == (
        "set-up: Python 3.11 cannot be fetched (build/logs/setup-python.log). "
        f"Install it, or set HTTPS_PROXY or UV_PYTHON_INSTALL_MIRROR, {AGAIN}"
    )


def test_another_fault_of_the_environment_is_not_laid_on_the_network(clone: Clone) -> None:
    clone.program("uv", "echo 'error: No space left on device (os error 28)' >&2; exit 2")

    assert clone.refused("python.sh") == (
        "set-up: the Python environment could not be made, see build/logs/setup-python.log. "
        "Mend that and run the same command again.\n"
    )


SILENT_GO = """\
if [ "$1" = env ]; then echo go1.26.8; exit; fi
echo 'go: github.com/pulumi/pulumi/pkg/v3@v3.258.0: Get "https://proxy.golang.org/x":' \\
    'dial tcp: lookup proxy.golang.org on 192.0.2.1:53: no such host' >&2
exit 1"""

BUILDING_GO = f"""\
case "$1 $2" in
"env GOVERSION") echo go1.26.8 ;;
"list -deps") echo one ;;
"list -m") echo SDK ;;
build*)
    while [ "$1" != -o ]; do shift; done
    printf '#!/bin/sh\\necho v{versions.PULUMI}\\n' >"$2"
    chmod +x "$2" ;;
esac"""


def test_pulumi_is_built_by_the_next_run(clone: Clone) -> None:
    clone.program("go", SILENT_GO)

    assert clone.refused("pulumi.sh") == (
        "set-up: Pulumi's site is out of reach, and so are the Go modules of pulumi "
        "(build/logs/setup-pulumi.log). Set HTTPS_PROXY or GOPROXY, or install the Pulumi CLI "
        f"{versions.PULUMI}, {AGAIN}"
    )
    assert not (clone.root / "build/tools/bin/pulumi").exists()

    clone.program("go", BUILDING_GO.replace("SDK", str(clone.root / "sdk")))
    sdk = clone.root / "sdk/python/cmd"
    sdk.mkdir(parents=True)
    (sdk / "pulumi-language-python-exec").touch()
    done = clone.run("pulumi.sh")

    assert (done.returncode, done.stderr) == (0, "")
    assert clone.left() == ["engine", "marks"]


@pytest.mark.usefixtures("uv")
def test_what_this_machine_has_for_building_pulumi_tells_of_the_network(clone: Clone) -> None:
    """By Go's own words where the machine has Go, else by uv's, which would fetch it."""
    line = clone.refused("pulumi.sh")

    assert line.startswith("set-up: Pulumi's site is out of reach, and so are") or line.startswith(
        "set-up: Pulumi's site is out of reach and no Go could be had for building it"
    )
    assert "Set HTTPS_PROXY" in line
    assert f"install the Pulumi CLI {versions.PULUMI}" in line
    assert line.endswith(AGAIN)
    assert "engine" not in clone.left()


def test_a_build_that_breaks_is_not_laid_on_the_network(clone: Clone) -> None:
    clone.program("go", SILENT_GO.replace("dial tcp: lookup", "x").replace("no such host", "y"))

    assert clone.refused("pulumi.sh").startswith("set-up: building pulumi failed, the whole output")


NO_DAEMON = (
    "echo 'Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon"
    " running?' >&2; exit 1"
)
NO_REGISTRY = """\
case "$1" in
version) echo 28.2.2 ;;
info) echo /nowhere ;;
pull) echo 'Error response from daemon: Get "https://registry-1.docker.io/v2/": dial tcp: lookup' \\
    'registry-1.docker.io: no such host' >&2; exit 1 ;;
*) exit 1 ;;
esac"""


def test_an_engine_that_apt_cannot_fetch(clone: Clone) -> None:
    silent_apt(clone)

    line = clone.refused("containers.sh")

    assert line.startswith("set-up: apt cannot fetch podman runc netavark ")
    assert line.endswith(
        "(build/logs/setup-apt.log). Correct the sources or the proxy below /etc/apt, or install "
        f"these packages by other means, {AGAIN}"
    )


def test_an_engine_that_is_stopped_where_nothing_may_be_installed(clone: Clone) -> None:
    without_apt(clone)
    clone.program("docker", NO_DAEMON)

    line = clone.refused("containers.sh")

    assert line.startswith("set-up: containers: no engine answers (podman: not installed; docker: ")
    assert line.endswith("). Start it (`sudo systemctl start docker`).\n")


def test_a_base_image_without_registry_and_without_mmdebstrap(clone: Clone) -> None:
    without_apt(clone)
    clone.program("docker", NO_REGISTRY)

    assert clone.refused("containers.sh") == (
        "set-up: the base image cannot be pulled and mmdebstrap is missing. "
        "Install mmdebstrap and debian-archive-keyring and run again.\n"
    )


def test_a_base_image_without_registry_whose_tools_apt_cannot_fetch(clone: Clone) -> None:
    silent_apt(clone)
    clone.program("docker", NO_REGISTRY)

    assert clone.refused("containers.sh").startswith(
        "set-up: apt cannot fetch mmdebstrap debian-archive-keyring (build/logs/setup-apt.log). "
    )


def test_a_base_image_without_registry_and_without_mirror_then_with_both(clone: Clone) -> None:
    clone.program("docker", NO_REGISTRY)
    clone.program(
        "mmdebstrap",
        "echo 'E: Failed to fetch http://deb.debian.org/debian/dists/bookworm/InRelease  Could not"
        " connect to 127.0.0.1:9' >&2\necho 'E: apt-get update failed' >&2\nexit 25",
    )

    assert clone.refused("containers.sh") == (
        f"base image {versions.BASE_IMAGE}: cannot be pulled (no such host), and making it failed "
        "(image base: mmdebstrap failed with exit code 25 (E: apt-get update failed). The whole "
        "output is in build/logs/image-base.log). Let this machine reach a registry or "
        "deb.debian.org (HTTPS_PROXY, http_proxy), or load the image by hand with `docker load`.\n"
    )

    clone.program("docker", NO_REGISTRY.replace("echo 'Error", "exit 0; echo 'Error"))
    assert clone.run("containers.sh").returncode == 0


def commit(clone: Clone, date: str) -> None:
    author = {
        f"GIT_{who}_{part}": "x@y" for who in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")
    }
    environ = {**clone.environ, **author, "GIT_COMMITTER_DATE": date, "GIT_AUTHOR_DATE": date}
    for words in (["init", "--quiet"], ["commit", "--quiet", "--allow-empty", "--message", "x"]):
        subprocess.run(["git", *words], cwd=clone.root, env=environ, check=True)


def test_a_clock_before_the_last_commit_is_refused(clone: Clone) -> None:
    commit(clone, "2090-01-02T03:04:05Z")

    line = clone.refused("setup.sh")

    assert line.startswith("set-up: the clock says 20")
    assert line.endswith(
        " UTC, before this checkout's last commit (2090-01-02 03:04 UTC). "
        f"Set it, sudo timedatectl set-ntp true, {AGAIN}"
    )
    assert clone.left() == []


@pytest.mark.parametrize("date", ["2020-01-02T03:04:05Z", None], ids=["after it", "no git"])
def test_any_other_clock_is_taken(clone: Clone, date: str | None) -> None:
    if date:
        commit(clone, date)
    else:
        clone.environ["GIT_CEILING_DIRECTORIES"] = str(clone.root.parent)
    clone.program("uv", '[ "$1" = --version ] && echo uv 99')  # the step after the checks ends it

    assert "the Python environment could not be made" in clone.refused("setup.sh", "python")


@pytest.fixture
def shared(clone: Clone) -> Iterator[Clone]:
    """The clone where another user finds it, whose files are not that user's."""
    place = Path(f"/tmp/bentofleet-{os.getpid()}-{clone.root.parent.name}")  # noqa: S108
    clone.root.parent.rename(place)
    place.chmod(0o755)
    clone.root, clone.bin = place / "clone", place / "bin"
    clone.environ["PATH"] = f"{clone.bin}"
    yield clone
    subprocess.run(["chmod", "-R", "u+w", str(place)], check=True)
    shutil.rmtree(place)


@pytest.mark.parametrize("path", [".", "build", "build/keys", ".venv"])
def test_a_folder_that_may_not_be_written_to_is_told_before_anything_is_done(
    shared: Clone, path: str
) -> None:
    nobody = 65534 if os.geteuid() == 0 else os.geteuid()
    (shared.root / path).mkdir(parents=True, exist_ok=True)
    for there in (shared.root / "build", shared.root):
        if there.exists():
            there.chmod(0o777)
    (shared.root / path).chmod(0o555)
    shared.program("id", "echo ana")

    done = subprocess.run(
        ["tools/setup/setup.sh", "all"],
        cwd=shared.root,
        env=shared.environ,
        user=nobody,
        capture_output=True,
        text=True,
        check=False,
    )

    where = shared.root if path == "." else shared.root / path
    assert (done.returncode, done.stdout, done.stderr) == (
        1,
        "",
        f"set-up: {where} may not be written to by ana. Give the repository to the user who runs "
        f"this, sudo chown -R ana '{shared.root}', {AGAIN}",
    )
