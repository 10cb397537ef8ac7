"""Images as archives: what Docker is given where it cannot pull."""

import io
import json
import tarfile
from pathlib import Path

from infra.images import archive, layers
from infra.images.layers import Layer, Packed

CONFIG = b'{"rootfs": {}}'


def test_an_archive_leaves_out_the_layers_that_are_there(tmp_path: Path) -> None:
    made = []
    for content in (b"base", b"code"):
        digest = layers.digest_of(content)
        (tmp_path / digest.removeprefix("sha256:")).write_bytes(content)
        made.append(Layer(digest, digest, len(content), len(content)))
    packed = Packed(CONFIG, tuple(made))

    content = archive.without(packed, "localhost/x:1", {0}, tmp_path)

    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        files = {m.name: tar.extractfile(m).read() for m in tar}  # type: ignore[union-attr]
    (entry,) = json.loads(files.pop("manifest.json"))
    assert entry["RepoTags"] == ["localhost/x:1"]
    assert len(entry["Layers"]) == 2
    assert files == {entry["Config"]: CONFIG, entry["Layers"][1]: b"code"}
