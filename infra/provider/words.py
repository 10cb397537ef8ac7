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
    "canary": {
        "en": "{share:.1%} of the users: {requests} requests, errors {errors:.2%} (live "
        "{live_errors:.2%}), p95 {p95:.1f} ms (live {live_p95:.1f} ms).",
        "es": "{share:.1%} de los usuarios: {requests} peticiones, errores {errors:.2%} (en "
        "servicio {live_errors:.2%}), p95 {p95:.1f} ms (en servicio {live_p95:.1f} ms).",
    },
    "canary_filled": {
        "en": "The gate's requests filled up what users did not bring: {share:.1%} of all.",
        "es": "Las peticiones de la prueba completaron lo que faltaba de los usuarios: "
        "{share:.1%} del total.",
    },
    "canary_version": {
        "en": "Model {model} has another version than live's: {differ} of {compared} answers "
        "differ, which is reported and not judged.",
        "es": "El modelo {model} tiene otra versión que el que está en servicio: difieren "
        "{differ} de {compared} respuestas, dato que se informa y no se juzga.",
    },
    "canary_not_compared": {
        "en": "Too few requests to compare the latency of each by itself: {models}.",
        "es": "Muy pocas peticiones para comparar la latencia de cada uno por separado: {models}.",
    },
    "promote": {
        "en": "{release} has all the traffic.",
        "es": "{release} recibe todo el tráfico.",
    },
    "weights": {
        "en": "Weights: {weights}.",
        "es": "Pesos: {weights}.",
    },
    "put_back": {
        "en": "{release} has all the traffic, the candidate is gone.",
        "es": "{release} recibe todo el tráfico, la candidata se ha retirado.",
    },
    "put_back_nothing": {
        "en": "Nothing is live, the candidate is gone.",
        "es": "No hay nada en servicio, la candidata se ha retirado.",
    },
    "silent": {
        "en": "Not reached: {hosts}. All others are back.",
        "es": "Sin respuesta: {hosts}. Las demás han vuelto.",
    },
    "drain": {"en": "{gone} ended.", "es": "{gone} terminó."},
    "drain_nothing": {
        "en": "Nothing was live before.",
        "es": "Antes no había nada en servicio.",
    },
    "now": {
        "en": "Released with NOW=1: the hours for releases did not count.",
        "es": "Publicado con NOW=1: no se aplicó el horario para publicar.",
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
