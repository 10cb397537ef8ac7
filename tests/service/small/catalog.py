"""The tests' own models, small and without training; a test process has them for a catalog."""

from bentos.adder.spec import SPEC as ADDER
from bentos.shade.spec import SPEC as SHADE

MODELS = {spec.name: spec for spec in (ADDER, SHADE)}
