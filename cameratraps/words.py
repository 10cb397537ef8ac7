"""The page's words, in English and Spanish. The names of the animals are the model's: English."""

LANGUAGES = ("en", "es")

_WORDS = {
    "title": ("Camera-trap photos", "Fotos de cámaras trampa"),
    "photos": ("photos", "fotos"),
    "species": ("species", "especies"),
    "speed": ("photos per second", "fotos por segundo"),
    "failed": ("without an answer", "sin respuesta"),
    "by_species": ("Photos by species", "Fotos por especie"),
    "others": ("all others", "todas las demás"),
    "caution": (
        "The species is the likeliest class of the model; it knows no empty photos. Where the "
        "confidence is low there may be no animal.",
        "La especie es la clase más probable del modelo, que no conoce fotos vacías. Donde la "
        "confianza es baja puede que no haya ningún animal.",
    ),
    "find": ("Find in file names", "Buscar en los nombres"),
    "which": ("Species", "Especie"),
    "all": ("all", "todas"),
    "least": ("Confidence at least", "Confianza mínima"),
    "order": ("Order", "Orden"),
    "by_name": ("file name", "nombre de archivo"),
    "by_kind": ("species", "especie"),
    "surest": ("surest first", "más seguras primero"),
    "unsure": ("least sure first", "menos seguras primero"),
    "previous": ("previous", "anterior"),
    "next": ("next", "siguiente"),
    "shown": ("{from}-{to} of {all}", "{from}-{to} de {all}"),
    "none": ("no photo matches", "ninguna foto coincide"),
    "top": ("the likeliest", "las más probables"),
    "reduced": ("made smaller before it was asked", "reducida antes de consultarla"),
    "part": ("part", "parte"),
    "script": (
        "The list of photos needs JavaScript; photos.csv has the same.",
        "La lista de fotos necesita JavaScript; photos.csv contiene lo mismo.",
    ),
    "made_by": ("model version", "versión del modelo"),
}


def words(language: str) -> dict[str, str]:
    """All words of one of `LANGUAGES`."""
    index = LANGUAGES.index(language)
    return {name: texts[index] for name, texts in _WORDS.items()}


def number(value: float, digits: int, language: str) -> str:
    """With separators as they are written there."""
    text = f"{value:,.{digits}f}"
    return text.translate(str.maketrans(",.", ".,")) if language == "es" else text
