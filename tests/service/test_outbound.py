"""The service asks nobody: whatever an input names, no connection, no look-up and no file.

What the process does is recorded inside it, by Python's audit events and in its event loop.
"""

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import jwt
import pytest

from service import contract, tokens

RECORDER = """
import os, runpy, sys, uvloop
seen = open(os.environ["SEEN"], "w", buffering=1)
NAMES = ("socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostby", "urllib.",
         "http.client.", "ftplib.", "smtplib.", "subprocess.", "os.system", "os.exec", "os.fork",
         "os.posix_spawn", "pickle.", "webbrowser.")

def record(event, arguments):
    if event.startswith(NAMES) or event == "open" and str(arguments[0]).startswith("/etc/"):
        seen.write(f"{event} {arguments!r}\\n")

class Loop(uvloop.Loop):
    async def create_connection(self, *arguments, **options):
        seen.write(f"uvloop {arguments!r} {options!r}\\n")
        return await super().create_connection(*arguments, **options)

    async def getaddrinfo(self, *arguments, **options):
        seen.write(f"uvloop {arguments!r}\\n")
        return await super().getaddrinfo(*arguments, **options)

    async def sock_connect(self, *arguments):
        seen.write(f"uvloop {arguments!r}\\n")
        return await super().sock_connect(*arguments)

    async def create_datagram_endpoint(self, *arguments, **options):
        seen.write(f"uvloop {arguments!r} {options!r}\\n")
        return await super().create_datagram_endpoint(*arguments, **options)

uvloop.new_event_loop = Loop
sys.addaudithook(record)
"""
SERVE = RECORDER + "runpy.run_module('service', run_name='__main__')\n"
ASK = (
    RECORDER
    + """
import asyncio, urllib.request
trap = int(os.environ["TRAP"])
for ask in (
    lambda: urllib.request.urlopen(f"http://127.0.0.1:{trap}/", timeout=0.01),
    lambda: open("/etc/hostname"),
):
    try:
        ask()
    except OSError:
        pass

async def connect():
    await asyncio.get_running_loop().create_connection(asyncio.Protocol, "127.0.0.1", trap)

with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
    runner.run(connect())
"""
)


@pytest.fixture(scope="module")
def trap():
    """Listens, and answers nobody."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    return tmp_path_factory.mktemp("seen") / "seen"


@pytest.fixture(scope="module")
def recorded(run, seen, key_dir):
    """The service under the recorder, with tokens."""
    service = run(
        ("-c", SERVE),
        SEEN=str(seen),
        BENTOFLEET_AUTH="jwt",
        BENTOFLEET_JWKS=str(key_dir / tokens.JWKS_FILE),
    )
    service.wait()
    return service


def addresses(port):
    """Addresses as they are sent by those who want a server to ask for them."""
    return [
        f"http://127.0.0.1:{port}/photo.jpg",
        f"http://localhost:{port}/redirect?to=http://169.254.169.254/",
        f"http://2130706433:{port}/",  # 127.0.0.1 as one number
        f"http://0x7f000001:{port}/",
        f"http://0177.0.0.1:{port}/",
        f"http://[::ffff:127.0.0.1]:{port}/",
        f"http://example.org@127.0.0.1:{port}/",
        "http://169.254.169.254/latest/meta-data/iam/security-credentials/",
        "http://[fd00:ec2::254]/latest/meta-data/",
        "http://2852039166/",
        "http://168.63.129.16/machine?comp=goalstate",
        "http://metadata.google.internal/computeMetadata/v1/",
        "http://100.100.100.200/latest/meta-data/",
        "https://example.org/photo.jpg",
        "//example.org/photo.jpg",
        "file:///etc/passwd",
        "/etc/passwd",
        "../../../../etc/passwd",
        r"\\example.org\share\photo.jpg",
        "data:image/png;base64,iVBORw0KGgo=",
        f"gopher://127.0.0.1:{port}/_GET",
        f"ftp://127.0.0.1:{port}/",
        "s3://bucket/photo.jpg",
        f"dict://127.0.0.1:{port}/info",
    ]


def bodies(address):
    """Content types and bodies with the address wherever one may stand."""
    row = {"when": "2017-07-14T14:30:00", "a": 3.5, "b": 2}
    for document in (
        address,
        {"url": address},
        {"file": address},
        {**row, "when": address},
        {**row, "a": address},
        {**row, "$ref": address},
        {"items": [address, {**row, "b": {"$ref": address}}]},
    ):
        yield contract.JSON_TYPE, json.dumps(document).encode()
    text = address.encode()
    yield from ((kind, text) for kind in (*contract.PHOTO_TYPES, "text/uri-list"))
    yield "application/x-www-form-urlencoded", b"file=" + text
    yield "message/external-body; access-type=URL; URL=" + json.dumps(address), b""
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><image href="%s"/></svg>'
    entity = b'<!DOCTYPE x [<!ENTITY y SYSTEM "%s">]><x>&y;</x>'
    for content in (svg % text, entity % text, b"%!PS\n(" + text + b") run\n"):
        yield "image/jpeg", content
    for line in (b'name="file"', b'name="file"; filename="%s"' % text, b'name="url"'):
        part = b"--x\r\nContent-Disposition: form-data; " + line + b"\r\nContent-Location: "
        whole = part + text + b"\r\n\r\n" + text + b"\r\n--x--\r\n"
        yield "multipart/form-data; boundary=x", whole


def test_the_recorder_records(trap, tmp_path):
    environ = {**os.environ, "SEEN": str(tmp_path / "seen"), "TRAP": str(trap.getsockname()[1])}
    subprocess.run([sys.executable, "-c", ASK], env=environ, check=True)
    recorded = (tmp_path / "seen").read_text()
    for event in ("urllib.Request", "socket.connect", "uvloop", "open ('/etc/hostname'"):
        assert event in recorded
    for _ in range(2):
        trap.accept()[0].close()


def test_no_input_makes_the_service_ask_anybody(recorded, seen, trap, token_for, service):
    bearer = {"authorization": f"Bearer {token_for()}"}
    before = seen.read_text()
    paths = [path for path, route in service.application.routes.items() if route.method == "POST"]
    statuses = set()
    with httpx.Client(base_url=recorded.url, headers=bearer, timeout=60) as client:
        for address in addresses(trap.getsockname()[1]):
            named = {"referer": address, "x-forwarded-host": address, "link": f"<{address}>"}
            for kind, body in bodies(address):
                for path in paths:
                    headers = {"content-type": kind, **named}
                    answer = client.post(
                        path, content=body, headers=headers, params={"url": address}
                    )
                    statuses.add(answer.status_code)
                    if answer.status_code == 200:
                        items = answer.json()["items"]
                        assert {item["error"]["status"] for item in items} <= {415, 422}
    assert statuses <= {200, 400, 415, 422}
    assert seen.read_text() == before
    with pytest.raises(BlockingIOError):
        trap.accept()


def test_a_token_that_says_where_its_keys_lie_makes_nobody_ask(
    recorded, seen, trap, key_dir, token_for
):
    pem = (key_dir / tokens.KEY_FILE).read_text()
    claims = jwt.decode(token_for(), options={"verify_signature": False})
    before = seen.read_text()
    for address in addresses(trap.getsockname()[1]):
        head = {"kid": address, "jku": address, "x5u": address}
        bad = jwt.encode({**claims, "iss": address}, pem, algorithm="EdDSA", headers=head)
        answer = httpx.get(f"{recorded.url}/v1/models", headers={"authorization": f"Bearer {bad}"})
        assert answer.status_code == 401
    assert seen.read_text() == before


@pytest.mark.parametrize("target", ["http://169.254.169.254/latest/", "169.254.169.254:80", "*"])
@pytest.mark.parametrize("method", ["GET", "CONNECT", "POST", "OPTIONS"])
def test_the_service_is_nobodys_proxy(recorded, seen, method, target):
    before = seen.read_text()
    with socket.create_connection(("127.0.0.1", recorded.port), timeout=20) as connection:
        text = f"{method} {target} HTTP/1.1\r\nHost: 169.254.169.254\r\nConnection: close\r\n\r\n"
        connection.sendall(text.encode())
        answer = connection.recv(65536)
    assert answer.split()[1] in (b"400", b"404")
    assert seen.read_text() == before


@pytest.mark.parametrize(
    "kind",
    [
        "application/vnd.bentoml+pickle",
        "application/vnd.bentoml.pickled",
        "application/x-pickle",
        "application/python-pickle",
        "application/octet-stream",
        "application/vnd.apache.arrow.stream",
        "application/x-msgpack",
        "application/yaml",
        "application/xml",
        "text/plain",
    ],
)
def test_what_could_carry_code_is_not_taken(recorded, seen, token_for, kind, service):
    before = seen.read_text()
    body = b"cposix\nsystem\n(S'touch /tmp/x'\ntR."
    headers = {"authorization": f"Bearer {token_for()}", "content-type": kind}
    for path, route in service.application.routes.items():
        if route.method == "POST":
            answer = httpx.post(recorded.url + path, content=body, headers=headers)
            assert answer.status_code == 415
    assert seen.read_text() == before


def test_the_process_listens_on_its_two_ports_alone(recorded):
    process = Path(f"/proc/{recorded.process.pid}")
    own = {str(link.readlink()) for link in (process / "fd").iterdir() if link.is_symlink()}
    ports = set()
    for table in ("tcp", "tcp6"):
        for line in (process / "net" / table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in own:
                ports.add(int(re.search(r":([0-9A-F]+)$", fields[1])[1], 16))
    assert ports == {recorded.port, recorded.metrics_port}
