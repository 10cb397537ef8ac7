"""The registry on loopback: what it gives out, what it counts, and that it knows nothing else."""

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.images import layers
from infra.images.layers import Layer, Packed
from infra.provider import registry as registries
from infra.provider.registry import Registry

CONTENT = bytes(range(256)) * 4000
NAME = "bentofleet-lab/service/1a2b3c4d"


@pytest.fixture
def packed() -> Packed:
    layer = Layer("sha256:" + "0" * 64, layers.digest_of(CONTENT), len(CONTENT), 1)
    return Packed(b'{"config": "of the image"}', (layer,))


class Stop:
    """Ctrl-C, or not."""

    pressed = False

    def __call__(self) -> bool:
        return self.pressed


@pytest.fixture
def stop() -> Stop:
    return Stop()


@pytest.fixture
def registry(packed: Packed, tmp_path: Path, stop: Stop) -> Iterator[Registry]:
    (tmp_path / "layer").write_bytes(CONTENT)
    made = Registry(stop)
    made.offer(packed, lambda _: tmp_path / "layer")
    yield made
    made.close()


def get(registry: Registry, path: str, method: str = "GET", **headers: str) -> tuple[int, bytes]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{registry.port}{path}", method=method, headers=headers
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - loopback
            return answer.status, answer.read()
    except urllib.error.HTTPError as e:
        return e.code, e.read()


def test_it_says_that_it_is_a_registry(registry: Registry) -> None:
    assert get(registry, "/v2/") == (200, b"{}")


def test_a_manifest_comes_with_its_type_and_digest(registry: Registry, packed: Packed) -> None:
    url = f"http://127.0.0.1:{registry.port}/v2/{NAME}/manifests/{packed.digest}"
    with urllib.request.urlopen(url) as answer:
        assert answer.headers["Content-Type"] == layers.MANIFEST_TYPE
        assert answer.headers["Docker-Content-Digest"] == packed.digest
        assert answer.read() == packed.manifest


def test_config_and_layers_come_by_their_digests(registry: Registry, packed: Packed) -> None:
    blobs = f"/v2/{NAME}/blobs"

    assert get(registry, f"{blobs}/{packed.config_digest}") == (200, packed.config)
    assert get(registry, f"{blobs}/{packed.layers[0].digest}") == (200, CONTENT)


def test_what_was_sent_is_counted_by_name(registry: Registry, packed: Packed) -> None:
    get(registry, f"/v2/{NAME}/manifests/{packed.digest}")
    get(registry, f"/v2/{NAME}/blobs/{packed.layers[0].digest}")
    get(registry, f"/v2/{NAME}/blobs/{packed.layers[0].digest}", "HEAD")
    get(registry, f"/v2/other/blobs/{packed.config_digest}")

    # Counted when it is sent, which is after the last byte was received here.
    wanted = [len(packed.manifest) + len(CONTENT), len(packed.config)]
    end = time.monotonic() + 10
    while (sent := [registry.sent(NAME), registry.sent("other")]) != wanted:
        assert time.monotonic() < end, sent
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("bytes=0-", (206, CONTENT)),
        ("bytes=1000-", (206, CONTENT[1000:])),
        ("bytes=10-19", (206, CONTENT[10:20])),
        ("bytes=5-99999999", (206, CONTENT[5:])),
        (f"bytes={len(CONTENT)}-", (416, b"")),
        ("bytes=-5", (200, CONTENT)),
        ("lines=1-2", (200, CONTENT)),
    ],
    ids=[
        "from the start",
        "the rest",
        "a piece",
        "beyond the end",
        "nothing",
        "suffix",
        "nonsense",
    ],
)
def test_a_layer_goes_on_where_it_broke_off(
    asked: str, expected: tuple[int, bytes], registry: Registry, packed: Packed
) -> None:
    path = f"/v2/{NAME}/blobs/{packed.layers[0].digest}"

    assert get(registry, path, Range=asked) == expected


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v2/_catalog",
        f"/v2/{NAME}/tags/list",
        f"/v2/{NAME}/manifests/latest",
        f"/v2/{NAME}/blobs/sha256:{'1' * 64}",
        f"/v2/{NAME}/blobs/sha256:..%2f..%2fetc%2fpasswd",
        f"/v2/{NAME}/blobs/../../../etc/passwd",
    ],
)
def test_it_knows_nothing_but_what_was_offered(path: str, registry: Registry) -> None:
    status, body = get(registry, path)

    assert status == 404
    assert json.loads(body)["errors"][0]["code"] == "NAME_UNKNOWN"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_it_takes_nothing_in(method: str, registry: Registry) -> None:
    assert get(registry, f"/v2/{NAME}/blobs/uploads/", method)[0] == 501


def test_a_layer_whose_file_went_is_not_there(
    registry: Registry, packed: Packed, tmp_path: Path
) -> None:
    (tmp_path / "layer").unlink()

    assert get(registry, f"/v2/{NAME}/blobs/{packed.layers[0].digest}")[0] == 404


def test_ctrl_c_ends_what_goes_over_the_line(
    registry: Registry, packed: Packed, stop: Stop
) -> None:
    stop.pressed = True

    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        get(registry, f"/v2/{NAME}/blobs/{packed.layers[0].digest}")
    assert registry.sent(NAME) == 0


def test_a_client_that_goes_away_is_counted_by_what_it_took_and_breaks_nothing(
    registry: Registry, packed: Packed
) -> None:
    client = http.client.HTTPConnection("127.0.0.1", registry.port)
    client.request("GET", f"/v2/{NAME}/blobs/{packed.layers[0].digest}")
    client.getresponse().read(1)
    client.close()

    assert get(registry, "/v2/")[0] == 200
    assert registries.CHUNK <= registry.sent(NAME) <= len(CONTENT)
