"""Names the animals in a folder of photos: CSV, JSON and a page. `make photos FOLDER=…`.

Asks a stack, or the published model on this machine.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from cameratraps import folder, journal, page, results, run
from cameratraps.asking import Asker, Stopped
from cameratraps.folder import Found
from cameratraps.journal import Journal
from cameratraps.local import Local
from cameratraps.progress import Progress
from cameratraps.records import Record, key
from cameratraps.stack import Stack
from cameratraps.words import LANGUAGES

DEFAULT_OUT = Path("reports/photos")
TOKEN_VARIABLE = "BENTOFLEET_TOKEN"  # noqa: S105  the variable's name
_STACK_JOBS, _MOST_JOBS = 4, 32
_STOPPED, _INTERRUPTED = 1, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 0 when every photo was asked for, 1 when not, 2 on bad options, 130 on Ctrl-C.

    Photos that are damaged or cannot be read are told on the page and end nothing.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if not 1 <= options.jobs <= _MOST_JOBS:
        parser.error(f"--jobs: should be from 1 to {_MOST_JOBS} (got {options.jobs})")
    out = options.out or DEFAULT_OUT / (options.folder.resolve().name or "root")
    try:
        if journal.exists(out) and not options.resume:
            raise ValueError(
                f"{out}: holds an earlier run. Go on with --resume, or choose another --out."
            )
        found = folder.find(options.folder)
        with closing(_asker(options)) as asker, Journal(out) as written:
            return _asked(options, out, found, asker, written)
    except (ValueError, Stopped) as error:
        sys.stderr.write(f"{error}\n")
    except OSError as error:
        sys.stderr.write(
            f"{out}: cannot be written ({error}). Make room, or choose another --out.\n"
        )
    except KeyboardInterrupt:
        sys.stderr.write("interrupted before the first photo\n")
        return _INTERRUPTED
    return _STOPPED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m cameratraps", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("folder", type=Path, help="JPEG, PNG and WebP files, in folders or not")
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--url", help="of a stack or service: https://photos.example.org")
    way.add_argument(
        "--local", action="store_true", help="the published model, on this machine (default)"
    )
    parser.add_argument(
        "--token-file", type=Path, metavar="FILE", help=f"a token; else ${TOKEN_VARIABLE}"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help=f"default: {DEFAULT_OUT}/FOLDER")
    parser.add_argument("--resume", action="store_true", help="go on with an earlier run in --out")
    parser.add_argument("--language", choices=LANGUAGES, default="en", help="of the page")
    parser.add_argument(
        "--jobs", type=int, metavar="N", default=_STACK_JOBS, help="requests at a time (default: 4)"
    )
    return parser


def _asker(options: argparse.Namespace) -> Asker:
    if options.url is None:
        return Local(threads=1)
    return Stack(options.url, _token(options.token_file))


def _token(path: Path | None) -> str | None:
    if path is None:
        return os.environ.get(TOKEN_VARIABLE, "").strip() or None
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise ValueError(
            f"--token-file: cannot be read (got {path}: {error}). Use make token."
        ) from error


def _asked(
    options: argparse.Namespace, out: Path, found: Found, asker: Asker, written: Journal
) -> int:
    todo = run.open_photos(found.photos, written.past.records, asker.version)
    if len(todo) < len(found.photos):
        sys.stdout.write(f"{len(found.photos) - len(todo)} photos are done already\n")
    code = 0
    progress = Progress(len(todo), sys.stderr)
    try:
        run.ask_all(options.folder, todo, asker, written, progress, options.jobs)
    except Stopped as error:
        code, why = _STOPPED, str(error)
    except KeyboardInterrupt:
        code, why = _INTERRUPTED, "interrupted: run the same with --resume to go on"
    if todo:
        progress.end()
    _write(options, out, found, asker, written)
    if code:
        sys.stderr.write(f"{why}\n")
    return code


def _write(
    options: argparse.Namespace, out: Path, found: Found, asker: Asker, written: Journal
) -> None:
    """The results of what is in the journal, of this run and those before it."""
    past = written.past
    known = [past.records[key(photo)] for photo in found.photos if key(photo) in past.records]
    lost = [
        Record(name=name, size_bytes=0, mtime_ns=0, error=reason, final=False)
        for name, reason in found.unreadable
    ]
    shown = [*known, *lost]
    summary = results.summarize(
        shown, str(options.folder), asker.where, past.photos, past.duration_s
    )
    files = [
        results.write_csv(shown, out),
        results.write_json(shown, summary, out),
        *page.write(shown, summary, options.language, out),
    ]
    speed = f", {summary.photos_per_s:.1f} per s" if summary.photos_per_s else ""
    told = f"{summary.photos} photos, {summary.failed} without an answer{speed}"
    sys.stdout.write("\n".join([told, *map(str, files)]) + "\n")


if __name__ == "__main__":
    sys.exit(main())
