"""The load test that is asked for: reads and checks it, sends nothing."""

import math
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from urllib.parse import urlsplit

from loadtests import profiles
from loadtests.slo import Slo

MAX_REQUESTS = 1_000_000
"""Of warm-up and steady phase together: every one is kept, so that percentiles are exact."""

_PHASE_S = (0, profiles.MAX_PHASE_S)
_RATE_RPS = (0.01, 10_000)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One load test.

    Attributes:
        base_urls: of the target's machines, without a path; each is asked as often as the others.
        token: sent as bearer token; None sends none.
        release: that every answer must name; None takes any.
        rate_rps: arrivals per second over all models, whether the target keeps up or not.
        seed: the same seed draws the same requests in the same order.
    """

    base_urls: tuple[str, ...]
    token: str | None = field(repr=False)
    release: str | None
    models: tuple[str, ...]
    profile: str
    rate_rps: float
    warmup_s: float
    steady_s: float
    saturation_s: float
    saturation_users: int
    timeout_s: float
    slo: Slo
    seed: int

    def public(self) -> dict[str, object]:
        """The plan as JSON, without the token."""
        told = {k: v for k, v in asdict(self).items() if k != "token"}
        return told | {"models": list(self.models), "base_urls": list(self.base_urls)}


def parse(raw: object, known_models: Collection[str]) -> Plan:
    """The plan that `raw`, JSON from outside, asks for.

    `rate_rps`, `warmup_s`, `steady_s` and `saturation_s` may be left out: the profile and the
    SLOs then give them.

    Raises:
        ValueError: with one line: `plan.rate_rps: ... (got X). ...`.
    """
    if not isinstance(raw, Mapping):
        msg = f"plan: must be a JSON object (got {type(raw).__name__}). Give one on standard input."
        raise ValueError(msg)
    unknown = sorted(map(str, set(raw) - _KEYS))
    if unknown:
        msg = f"plan.{unknown[0]}: no such key. Use: {', '.join(sorted(_KEYS))}."
        raise ValueError(msg)
    models = _models(raw.get("models"), known_models)
    slo = _slo(raw.get("slo"))
    name, profile = _profile(raw.get("profile"))
    rate = _number(raw, "rate_rps", profiles.arrival_rate_rps(slo), *_RATE_RPS)
    steady = profiles.steady_s(profile, slo, rate, len(models))
    plan = Plan(
        base_urls=_base_urls(raw.get("base_url")),
        token=_token(raw.get("token")),
        release=_text(raw, "release"),
        models=models,
        profile=name,
        rate_rps=rate,
        warmup_s=_number(raw, "warmup_s", profile.warmup_s, *_PHASE_S),
        steady_s=_number(raw, "steady_s", steady, 1, _PHASE_S[1]),
        saturation_s=_number(raw, "saturation_s", profile.saturation_s, *_PHASE_S),
        saturation_users=profile.saturation_users,
        timeout_s=profile.timeout_s,
        slo=slo,
        seed=int(_number(raw, "seed", 0, 0, 2**53)),
    )
    _refuse_too_many(plan)
    return plan


_KEYS = frozenset(
    {
        "base_url",
        "token",
        "release",
        "models",
        "profile",
        "rate_rps",
        "warmup_s",
        "steady_s",
        "saturation_s",
        "slo",
        "seed",
    }
)


def _base_urls(value: object) -> tuple[str, ...]:
    """One address, or a list of several that are asked in turn."""
    several = value if isinstance(value, list) and value else [value]
    return tuple(map(_base_url, several))


def _base_url(value: object) -> str:
    parts = urlsplit(value) if isinstance(value, str) else None
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        msg = f"plan.base_url: must be http://host:port (got {value!r}). Give the target's address."
        raise ValueError(msg)
    if parts.username or parts.password:
        msg = "plan.base_url: holds a user or password. Give the credential as `token`."
        raise ValueError(msg)
    if parts.path.strip("/") or parts.query or parts.fragment:
        msg = f"plan.base_url: has a path (got {value!r}). Give scheme, host and port only."
        raise ValueError(msg)
    return f"{parts.scheme}://{parts.netloc}"


def _token(value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not value or not value.isascii() or not value.isprintable():
        msg = "plan.token: is not a token (not shown). Give a JWT, or null for none."
        raise ValueError(msg)
    return value


def _text(raw: Mapping[str, object], key: str) -> str | None:
    value = raw.get(key)
    if value is not None and not (isinstance(value, str) and value):
        msg = f"plan.{key}: must be text (got {value!r}). Correct it or leave it out."
        raise ValueError(msg)
    return value


def _models(value: object, known: Collection[str]) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        msg = f"plan.models: must be a list of names (got {value!r}). Give at least one."
        raise ValueError(msg)
    for name in value:
        if name not in known:
            msg = f"plan.models: no such model (got {name!r}). Use: {', '.join(sorted(known))}."
            raise ValueError(msg)
    if len(set(value)) < len(value):
        msg = f"plan.models: names a model twice (got {', '.join(value)}). Name each once."
        raise ValueError(msg)
    return tuple(value)


def _slo(value: object) -> Slo:
    if not isinstance(value, Mapping):
        msg = f"plan.slo: must be an object (got {value!r}). Give the three limits."
        raise ValueError(msg)
    names = tuple(Slo.__dataclass_fields__)
    if set(value) != set(names):
        got = ", ".join(sorted(map(str, value)))
        msg = f"plan.slo: must have {', '.join(names)} (got {got}). Correct it."
        raise ValueError(msg)
    return Slo(**{n: _number(value, n, None, 0, math.inf, where="plan.slo") for n in names})


def _profile(value: object) -> tuple[str, profiles.Profile]:
    if not isinstance(value, str) or value not in profiles.PROFILES:
        names = ", ".join(profiles.PROFILES)
        msg = f"plan.profile: no such profile (got {value!r}). Use: {names}."
        raise ValueError(msg)
    return value, profiles.PROFILES[value]


def _number(
    raw: Mapping[str, object],
    key: str,
    default: float | None,
    least: float,
    most: float,
    *,
    where: str = "plan",
) -> float:
    value = raw.get(key, default)
    if isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most:
        return value
    span = f"a number from {least:g} to {most:g}"
    msg = f"{where}.{key}: must be {span} (got {value!r}). Correct it."
    raise ValueError(msg)


def _refuse_too_many(plan: Plan) -> None:
    requests = plan.rate_rps * (plan.warmup_s + plan.steady_s)
    if requests > MAX_REQUESTS:
        msg = (
            f"plan: asks for too many requests (got {requests:.0f}, at most {MAX_REQUESTS}). "
            "Shorten the phases or lower the rate."
        )
        raise ValueError(msg)
