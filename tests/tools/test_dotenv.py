"""What set-up writes into `.env`, and what of a user's it leaves alone."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "tools/setup/dotenv.py"


def run(root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT)], cwd=root, capture_output=True, text=True, check=False
    )


def settings(root: Path) -> dict[str, str]:
    lines = [line for line in (root / ".env").read_text().splitlines() if "=" in line]
    return {name: value.strip("'") for name, _, value in (line.partition("=") for line in lines)}


def put(root: Path, name: str, text: str = "") -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_a_fresh_clone_gets_all_settings(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert (done.returncode, done.stdout) == (
        0,
        "set-up: writing .env (8 settings of this machine)\n",
    )
    assert settings(tmp_path) == {
        "PULUMI_BACKEND_URL": f"file://{tmp_path}/build/pulumi-state",
        "PULUMI_CONFIG_PASSPHRASE_FILE": f"{tmp_path}/build/keys/passphrase",
        "PULUMI_HOME": f"{tmp_path}/build/pulumi-home",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "BENTOML_HOME": f"{tmp_path}/build/bentoml",
        "BENTOML_DO_NOT_TRACK": "True",
        "BUILDAH_FORMAT": "docker",
        "BENTOFLEET_JWKS": f"{tmp_path}/build/keys/jwks.json",
    }
    assert (tmp_path / "build/pulumi-state").is_dir()


def test_secrets_are_for_the_owner_only_and_in_no_output(tmp_path: Path) -> None:
    done = run(tmp_path)
    passphrase = tmp_path / "build/keys/passphrase"
    assert stat.S_IMODE(passphrase.stat().st_mode) == 0o600
    assert stat.S_IMODE(passphrase.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
    secret = passphrase.read_text().strip()
    assert len(secret) >= 40
    assert secret not in done.stdout + done.stderr + (tmp_path / ".env").read_text()


def test_two_clones_have_two_passphrases(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        run(tmp_path / name)
    one, other = ((tmp_path / name / "build/keys/passphrase").read_text() for name in "ab")
    assert one != other


def test_a_second_run_writes_nothing(tmp_path: Path) -> None:
    run(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    done = run(tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_a_users_lines_and_values_stay(tmp_path: Path) -> None:
    put(tmp_path, ".env", "# mine\nexport PULUMI_BACKEND_URL=s3://team\nAWS_PROFILE=lab\n")
    run(tmp_path)
    text = (tmp_path / ".env").read_text()
    assert "# mine\nexport PULUMI_BACKEND_URL=s3://team\nAWS_PROFILE=lab\n" in text
    assert text.count("PULUMI_BACKEND_URL") == 1
    assert "PULUMI_HOME=" in text


def test_an_engine_built_from_modules_fetches_no_plugins(tmp_path: Path) -> None:
    put(tmp_path, "build/tools/engine/pulumi")
    put(tmp_path, "build/containers.conf")
    run(tmp_path)
    assert settings(tmp_path)["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] == "true"
    assert settings(tmp_path)["CONTAINERS_CONF"] == f"{tmp_path}/build/containers.conf"


def test_a_repository_that_was_moved_takes_its_paths_along(tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    run(before)
    put(before, ".env", (before / ".env").read_text() + f"OTHER={before}-copy/x\n")
    before.rename(after)
    assert run(after).returncode == 0
    assert settings(after)["BENTOML_HOME"] == f"{after}/build/bentoml"
    assert settings(after)["OTHER"] == f"{before}-copy/x"


def test_a_lost_passphrase_is_not_replaced_while_stacks_need_it(tmp_path: Path) -> None:
    run(tmp_path)
    (tmp_path / "build/keys/passphrase").unlink()
    put(tmp_path, "build/pulumi-state/.pulumi/stacks/bentofleet/demo.json", "{}")
    done = run(tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("set-up: build/keys/passphrase: is gone, and build/pulumi-state")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "build/keys/passphrase").exists()


def test_an_interrupted_write_leaves_no_half_file(tmp_path: Path) -> None:
    put(tmp_path, ".env.part", "half of i")
    run(tmp_path)
    assert not (tmp_path / ".env.part").exists()
    assert "half of i" not in (tmp_path / ".env").read_text()


@pytest.mark.parametrize("name", ["with space", "with'quote"], ids=["space", "quote"])
def test_a_path_is_quoted_or_refused(tmp_path: Path, name: str) -> None:
    root = tmp_path / name
    root.mkdir()
    done = run(root)
    if "'" in name:
        assert (done.returncode, (root / ".env").exists()) == (1, False)
        assert "the path must have no quote in it" in done.stderr
    else:
        line = f"BENTOML_HOME='{root}/build/bentoml'\n"
        assert line in (root / ".env").read_text()
