"""Gets photos of a species from iNaturalist, by its API v1, under the licences that you allow.

The command `python -m cameratraps.inaturalist`.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from cameratraps import subset
from cameratraps.download import Client, DownloadError
from cameratraps.subset import MOST_PHOTOS, Wanted, slug

API = "https://api.inaturalist.org/v1"
SIZES = ("small", "medium", "large", "original")
LICENCES = {
    "cc0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "cc-by": "https://creativecommons.org/licenses/by/4.0/",
    "cc-by-sa": "https://creativecommons.org/licenses/by-sa/4.0/",
    "cc-by-nc": "https://creativecommons.org/licenses/by-nc/4.0/",
    "cc-by-nc-sa": "https://creativecommons.org/licenses/by-nc-sa/4.0/",
    "cc-by-nd": "https://creativecommons.org/licenses/by-nd/4.0/",
    "cc-by-nc-nd": "https://creativecommons.org/licenses/by-nc-nd/4.0/",
}
FREE = ("cc0", "cc-by")

_PER_PAGE = 100
_PAUSE_S = 1.0  # iNaturalist asks for at most 60 requests a minute


def observations(
    taxon: str, licences: Sequence[str], client: Client, api: str = API
) -> Iterator[dict[str, Any]]:
    """Research-grade observations with photos under these licences, the newest first.

    Raises:
        DownloadError: the API does not answer, or not with observations.
    """
    below: int | None = None
    while True:
        query = {
            "taxon_id" if taxon.isdigit() else "taxon_name": taxon,
            "quality_grade": "research",
            "photos": "true",
            "photo_license": ",".join(licences),
            "order_by": "id",
            "order": "desc",
            "per_page": _PER_PAGE,
            **({} if below is None else {"id_below": below}),
        }
        url = f"{api}/observations?{urlencode(query)}"
        document = client.document(url)
        found = document.get("results") if isinstance(document, dict) else None
        if not isinstance(found, list):
            raise DownloadError(f"{url}: answered without observations")
        yield from found
        if len(found) < _PER_PAGE:
            return
        below = int(found[-1]["id"])
        client.sleep(_PAUSE_S)


def choose(found: Iterator[dict[str, Any]], licences: Sequence[str], size: str) -> Iterator[Wanted]:
    """The first photo of each observation that has one of the licences itself."""
    for observation in found:
        for photo in observation.get("photos") or ():
            if photo.get("license_code") in licences and "/square." in str(photo.get("url")):
                yield _wanted(observation, photo, size)
                break


def _wanted(observation: Mapping[str, Any], photo: Mapping[str, Any], size: str) -> Wanted:
    url = str(photo["url"]).replace("/square.", f"/{size}.")
    taxon = observation.get("taxon") or {}
    label = str(taxon.get("name") or "unknown")
    user = observation.get("user") or {}
    code = str(photo["license_code"])
    return Wanted(
        url=url,
        file=f"{slug(label)}/{int(observation['id'])}_{int(photo['id'])}.{_suffix(url)}",
        label=label,
        page=str(observation.get("uri") or f"https://www.inaturalist.org/photos/{photo['id']}"),
        author=str(photo.get("attribution") or user.get("name") or user.get("login") or "unknown"),
        licence=code.upper(),
        licence_url=LICENCES[code],
    )


def _suffix(url: str) -> str:
    ending = url.partition("?")[0].rsplit(".", 1)[-1].lower()
    return ending if ending in ("jpg", "jpeg", "png", "webp") else "jpg"


def main(arguments: Sequence[str] | None = None, connect: Callable[[], Client] = Client) -> int:
    """The command; 0 when as many photos as asked for are there, else 1."""
    parser = argparse.ArgumentParser(
        prog="python -m cameratraps.inaturalist", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("folder", type=Path, help="gets the photos and credits.csv")
    parser.add_argument("--taxon", required=True, help="scientific name, or iNaturalist's number")
    parser.add_argument("--limit", type=int, default=100, help="photos (default: 100)")
    parser.add_argument(
        "--licence",
        action="append",
        choices=LICENCES,
        help="may be given again (default: cc0, cc-by)",
    )
    parser.add_argument("--size", choices=SIZES, default="large")
    parser.add_argument("--api", default=API, help="of a mirror")
    options = parser.parse_args(arguments)
    if not 1 <= options.limit <= MOST_PHOTOS:
        parser.error(f"--limit: should be from 1 to {MOST_PHOTOS} (got {options.limit})")
    licences, client = options.licence or FREE, connect()
    try:
        found = observations(options.taxon, licences, client, options.api)
        photos = choose(found, licences, options.size)
        got = subset.download(photos, options.folder, options.limit, client, sys.stderr)
    except (DownloadError, OSError) as error:
        sys.stderr.write(f"inaturalist: {error}. Run it again, it goes on from what is there.\n")
        return 1
    return subset.tell(got, options.limit, options.folder)


if __name__ == "__main__":
    sys.exit(main())
