"""Gets a subset of Snapshot Serengeti, the camera-trap photos of LILA BC, by its COCO metadata.

The command `python -m cameratraps.serengeti`.
"""

import argparse
import json
import sys
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from cameratraps import subset
from cameratraps.download import Client, DownloadError
from cameratraps.subset import MOST_PHOTOS, Wanted, slug

HOST = "https://storage.googleapis.com/public-datasets-lila"
SEASONS = range(1, 12)
PAGE = "https://lila.science/datasets/snapshot-serengeti"
AUTHOR = "Snapshot Serengeti (Swanson et al. 2015, doi:10.1038/sdata.2015.26)"
LICENCE = "CDLA-Permissive-1.0"
LICENCE_URL = "https://cdla.dev/permissive-1-0/"
EMPTY, HUMAN = "empty", "human"  # photos of people are not published

_METADATA_BYTES = 400 * 1024 * 1024
_UNPACKED_BYTES = 4 * 1024**3
_FIRST_FRAME = 1


def metadata(season: int, folder: Path, client: Client, host: str = HOST) -> dict[str, Any]:
    """A season's COCO Camera Traps document; season 1 is 19 MB and takes 1 GB in memory.

    Raises:
        DownloadError: it cannot be had, or is not such a document.
    """
    name = f"SnapshotSerengetiS{season:02d}.json.zip"
    path = folder / ".metadata" / name
    if not path.exists():
        client.file(f"{host}/snapshotserengeti-v-2-0/{name}", path, _METADATA_BYTES)
    try:
        with zipfile.ZipFile(path) as archive:
            (inner,) = (each for each in archive.infolist() if each.filename.endswith(".json"))
            if inner.file_size > _UNPACKED_BYTES:
                raise ValueError(f"{inner.file_size} bytes unpacked")
            document: dict[str, Any] = json.loads(archive.read(inner))
        if not document.keys() >= {"images", "annotations", "categories"}:
            raise ValueError("no images, annotations and categories")
    except (OSError, ValueError, AttributeError, zipfile.BadZipFile) as error:
        path.unlink(missing_ok=True)
        raise DownloadError(f"{path}: is no COCO Camera Traps metadata ({error})") from error
    return document


def choose(
    document: Mapping[str, Any], species: Sequence[str], seed: int, host: str = HOST
) -> Iterator[Wanted]:
    """Photos in turn from each species, so that any number of them is as even as it can be.

    One photo a sequence, and only sequences with one kind of animal.

    Args:
        document: COCO Camera Traps.
        species: names of categories; none: all but empty photos.
        seed: of the order within a species.
        host: of the photos.

    Raises:
        ValueError: a species that the season does not have.
    """
    names = {each["id"]: str(each["name"]) for each in document["categories"]}
    if unknown := sorted(set(species) - set(names.values())):
        known = ", ".join(sorted(names.values()))
        raise ValueError(f"--species: no such category: {', '.join(unknown)} (there are {known})")
    wanted = set(species) or set(names.values()) - {EMPTY}
    groups = _by_species(document, names, wanted - {HUMAN})
    order = Random(seed)  # noqa: S311  no secret
    for images in groups.values():
        order.shuffle(images)
    while any(groups.values()):
        for label, images in groups.items():
            if images:
                yield _wanted(images.pop(), label, host)


def _by_species(
    document: Mapping[str, Any], names: Mapping[int, str], species: set[str]
) -> dict[str, list[str]]:
    """File names by species, both sorted."""
    labels: defaultdict[str, set[str]] = defaultdict(set)
    for annotation in document["annotations"]:
        labels[annotation["image_id"]].add(names[annotation["category_id"]])
    groups: dict[str, list[str]] = {label: [] for label in sorted(species)}
    for image in document["images"]:
        found = labels.get(image["id"], set())
        if len(found) != 1 or image.get("frame_num", _FIRST_FRAME) != _FIRST_FRAME:
            continue
        (label,) = found
        if label in groups and not image.get("corrupt"):
            groups[label].append(str(image["file_name"]))
    for files in groups.values():
        files.sort()
    return groups


def _wanted(file_name: str, label: str, host: str) -> Wanted:
    stem = slug(file_name.rsplit(".", 1)[0])
    return Wanted(
        url=f"{host}/snapshotserengeti-unzipped/{file_name}",
        file=f"{slug(label)}/{stem}.jpg",
        label=label,
        page=PAGE,
        author=AUTHOR,
        licence=LICENCE,
        licence_url=LICENCE_URL,
    )


def main(arguments: Sequence[str] | None = None, connect: Callable[[], Client] = Client) -> int:
    """The command; 0 when as many photos as asked for are there, else 1."""
    parser = argparse.ArgumentParser(
        prog="python -m cameratraps.serengeti", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("folder", type=Path, help="gets the photos and credits.csv")
    parser.add_argument("--season", type=int, choices=SEASONS, default=1)
    parser.add_argument("--species", action="append", default=[], help="may be given again")
    parser.add_argument("--limit", type=int, default=200, help="photos (default: 200)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--host", default=HOST, help="of a mirror with the same layout")
    options = parser.parse_args(arguments)
    if not 1 <= options.limit <= MOST_PHOTOS:
        parser.error(f"--limit: should be from 1 to {MOST_PHOTOS} (got {options.limit})")
    client = connect()
    try:
        document = metadata(options.season, options.folder, client, options.host)
        photos = choose(document, options.species, options.seed, options.host)
        got = subset.download(photos, options.folder, options.limit, client, sys.stderr)
    except ValueError as error:
        sys.stderr.write(f"{error}. Correct it.\n")
        return 1
    except (DownloadError, OSError) as error:
        sys.stderr.write(f"serengeti: {error}. Run it again, it goes on from what is there.\n")
        return 1
    return subset.tell(got, options.limit, options.folder)


if __name__ == "__main__":
    sys.exit(main())
