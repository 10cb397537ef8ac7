"""Takes the pictures of the page at /ui for the docs: docs/ui.webp and docs/ui-es.webp.

uv run --env-file .env python tools/ui_pictures.py

Runs the service with the published models on this machine, and asks it as a person would.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from service import contract, tokens

ROOT = Path(__file__).resolve().parents[1]
START_S = 60
QUALITY = 90
PHOTOS = ROOT / "bentos" / "octagon" / "photos"
SHOWN = ("octagon_1.jpg", "octagon_2.jpg", "circle_1.jpg")


def main() -> int:
    """Takes both pictures; an error is one line and exit code 1."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        sys.stderr.write("chromium: is not installed. Install it and run again.\n")
        return 1
    with _service() as (url, token), sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser)
        for language, draw, name in (("en", _octagons, "ui.webp"), ("es", _energy, "ui-es.webp")):
            context = chromium.new_context(
                locale=language, viewport={"width": 1280, "height": 1040}, color_scheme="light"
            )
            page = context.new_page()
            draw(page, url, token)
            picture = Image.open(BytesIO(page.screenshot()))
            picture.save(ROOT / "docs" / name, quality=QUALITY, method=6)
            context.close()
        chromium.close()
    return 0


def _octagons(page: Page, url: str, token: str) -> None:
    _enter(page, f"{url}{contract.UI}#octagon", token)
    page.set_input_files("#files", [PHOTOS / name for name in SHOWN])
    page.locator(".toggle").nth(len(SHOWN) - 1).wait_for()


def _energy(page: Page, url: str, token: str) -> None:
    _enter(page, f"{url}{contract.UI}#energy", token)
    page.click("form button[type=submit]")
    page.wait_for_selector(".answer")


def _enter(page: Page, url: str, token: str) -> None:
    page.goto(url)
    page.fill("#token-input", token)
    page.press("#token-input", "Enter")
    page.wait_for_selector("#token .ok")


@contextmanager
def _service() -> Iterator[tuple[str, str]]:
    with TemporaryDirectory() as scratch, socket.create_server(("127.0.0.1", 0)) as free:
        key = tokens.new_key(Path(scratch))
        token = tokens.issue(key.read_text(), contract.SCOPE_PREDICT, 3600, "you")
        port = free.getsockname()[1]
        free.close()
        environ = {
            contract.ENV_HOST: "127.0.0.1",
            contract.ENV_PORT: str(port),
            contract.ENV_METRICS_PORT: "0",
            contract.ENV_JWKS: str(Path(scratch) / tokens.JWKS_FILE),
            contract.ENV_RELEASE: "r12",
            contract.ENV_DRAIN_S: "0",
        }
        service = subprocess.Popen(
            [sys.executable, "-m", "service"],
            cwd=ROOT,
            env={**os.environ, **environ},
            stdout=subprocess.DEVNULL,
        )
        try:
            _wait(f"http://127.0.0.1:{port}")
            yield f"http://127.0.0.1:{port}", token
        finally:
            service.terminate()
            service.wait()


def _wait(url: str) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(url + contract.READYZ):  # noqa: S310  our own service
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.2)
    raise TimeoutError("the service did not become ready. Run make models.")


if __name__ == "__main__":
    sys.exit(main())
