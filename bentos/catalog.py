"""The models there are: a model is one folder and one line here. Standard library only."""

from bentos.demand.spec import SPEC as DEMAND
from bentos.energy.spec import SPEC as ENERGY
from bentos.octagon.spec import SPEC as OCTAGON
from bentos.spec import ModelSpec
from bentos.wildlife.spec import SPEC as WILDLIFE

MODELS: dict[str, ModelSpec] = {spec.name: spec for spec in (DEMAND, ENERGY, OCTAGON, WILDLIFE)}
