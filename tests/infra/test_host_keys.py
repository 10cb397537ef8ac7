"""Fingerprints as `ssh-keygen` shows them."""

import subprocess
from pathlib import Path

import pytest

from infra import host_keys


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_a_fingerprint_is_the_one_that_ssh_keygen_shows(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "key"
    made = ["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "root@lab-1", "-f", str(path)]
    subprocess.run(made, check=True)
    public = path.with_suffix(".pub")
    shown = subprocess.run(
        ["ssh-keygen", "-lf", str(public)], check=True, capture_output=True, text=True
    ).stdout

    key = host_keys.public_key(public.read_text())

    assert key == " ".join(public.read_text().split()[:2])
    assert host_keys.fingerprint(key) == shown.split()[1]


@pytest.mark.parametrize(
    ("kind", "name"),
    [("ssh-ed25519", "ed25519"), ("ecdsa-sha2-nistp256", "ecdsa"), ("ssh-rsa", "rsa")],
)
def test_a_host_keeps_its_key_in_a_file_named_by_the_kind(kind: str, name: str) -> None:
    assert host_keys.file_of(f"{kind} AAAA") == f"/etc/ssh/ssh_host_{name}_key.pub"


def test_a_key_whose_content_is_cut_is_none() -> None:
    with pytest.raises(ValueError, match="is no public host key"):
        host_keys.public_key("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5A")
