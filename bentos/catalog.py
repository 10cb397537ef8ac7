"""The models there are: a model is one folder and one line here. Standard library only."""

from bentos.energy.spec import SPEC as ENERGY
from bentos.spec import ModelSpec
from bentos.wildlife.spec import SPEC as WILDLIFE

MODELS: dict[str, ModelSpec] = {spec.name: spec for spec in (ENERGY, WILDLIFE)}
