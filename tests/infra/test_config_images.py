"""Where images may lie, and which settings contradict each other."""

import pytest

from infra import config, config_images
from infra.config_images import Images

HOST = {"name": "here", "address": "192.0.2.11", "connection": "local"}


def lines(**images: object) -> list[str]:
    try:
        config.parse({"kind": "local", "hosts": [HOST], "images": images})
    except config.ConfigError as e:
        return e.lines
    return []


@pytest.mark.parametrize(
    "place",
    [
        "ghcr.io/org/bentofleet",
        "registry.lan:5000/bentofleet",
        "localhost:5000/a",
        "registry:5000/a",
        "192.0.2.9:5000/team-a/x__y",
    ],
)
def test_a_place_in_a_registry_is_taken(place: str) -> None:
    assert lines(registry=place) == []


@pytest.mark.parametrize(
    "place",
    [
        "https://ghcr.io/org",
        "ghcr.io",
        "org/bentofleet",
        "ghcr.io/Org/x",
        "ghcr.io/org/x:1",
        "ghcr.io/org/",
        "ghcr.io//x",
        "ghcr.io/org/x\n",
        "-x.example.org/y",
        "ghcr.io/x y",
    ],
)
def test_what_is_no_place_in_a_registry_is_refused(place: str) -> None:
    assert lines(registry=place) == [
        f"bentofleet:stack.images.registry: is no place in a registry (got {place!r}). Write "
        "registry and path in small letters, without scheme and tag, such as "
        "`ghcr.io/org/bentofleet`."
    ]


@pytest.mark.parametrize(
    ("images", "line"),
    [
        (
            {"user": "robot"},
            "images.user: has no meaning without images.registry. Remove it, or name a registry.",
        ),
        (
            {"registry": "ghcr.io/x", "user": "a:b"},
            "images.user: has a colon in it (got 'a:b'). Write it without.",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_told(images: dict[str, str], line: str) -> None:
    assert lines(**images) == [f"bentofleet:stack.{line}"]


@pytest.mark.parametrize(
    ("images", "password", "expected"),
    [
        (Images(), None, []),
        (Images(registry="ghcr.io/x"), None, []),
        (Images(registry="ghcr.io/x", user="robot"), "planted", []),
        (
            Images(registry="ghcr.io/x", user="robot"),
            "",
            [
                "bentofleet:registry-password: is missing beside images.user. Set it: "
                "`pulumi config set --secret bentofleet:registry-password`."
            ],
        ),
        (
            Images(registry="ghcr.io/x"),
            "planted",
            ["bentofleet:registry-password: has no user. Write `images.user`, or remove it."],
        ),
    ],
    ids=["nothing", "the engine's own login", "both", "no password", "no user"],
)
def test_a_user_has_a_password_and_a_password_a_user(
    images: Images, password: str | None, expected: list[str]
) -> None:
    assert config_images.password_faults(images, password) == expected
