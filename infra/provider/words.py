"""What the walk tells of its steps, in the stack's language; logs and error lines stay English."""

from typing import Literal

Language = Literal["en", "es"]

_WORDS: dict[str, dict[Language, str]] = {
    "ready": {
        "en": "{replicas} replicas on each host ({hosts}) gave their golden answers.",
        "es": "{replicas} réplicas en cada máquina ({hosts}) dieron sus respuestas de referencia.",
    },
    "rates": {
        "en": "One by one: {rates}.",
        "es": "De uno en uno: {rates}.",
    },
    "gate": {
        "en": "{requests} requests at {rps:.1f}/s, p95 {p95:.1f} ms, errors {errors:.2%}.",
        "es": "{requests} peticiones a {rps:.1f}/s, p95 {p95:.1f} ms, errores {errors:.2%}.",
    },
    "missed": {
        "en": "The reasons stand at the top.",
        "es": "Los motivos están al principio.",
    },
    "promote": {
        "en": "{release} has all the traffic.",
        "es": "{release} recibe todo el tráfico.",
    },
    "drain": {"en": "{gone} ended.", "es": "{gone} terminó."},
    "drain_nothing": {
        "en": "Nothing was live before.",
        "es": "Antes no había nada en servicio.",
    },
    "no_cost": {
        "en": "No price is known for machines of one's own yet.",
        "es": "Aún no se conoce el precio de las máquinas propias.",
    },
}


def text(kind: str, language: Language, **values: object) -> str:
    """A sentence of the walk.

    Raises:
        KeyError: there is no such sentence, or it misses a value.
    """
    return _WORDS[kind][language].format(**values)
