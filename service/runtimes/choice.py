"""Which runtime runs a model: rows on the processor, photos on what the host declares."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bentos import converted
from bentos.spec import ModelSpec, Photo
from service import contract
from service.runtimes import Runtime
from service.runtimes.onnx import OnnxRuntime
from service.runtimes.vulkan import VulkanRuntime

GRAPH_FILE = "model.onnx"


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Opens the runtime of each model.

    Attributes:
        accelerator: that the host declares.
        software: Vulkan in software and on no card; for tests.
        threads: of each runtime.
        find: name in the store to folder; ValueError where there is none.
    """

    accelerator: str = contract.CPU
    software: bool = False
    threads: int = 1
    find: Callable[[str], Path] = Path  # where nothing is converted, nothing is asked for

    def open(self, spec: ModelSpec, path: Path) -> Runtime:
        """The runtime of a model, loaded.

        Args:
            spec: of the catalog.
            path: the version's folder.

        Raises:
            ValueError: its files are missing or broken, or the device is not there; one line.
        """
        if self.accelerator == contract.VULKAN and isinstance(spec.takes, Photo):
            folder = self.find(converted.stored_name(spec.name))
            if fault := converted.fault(folder, path):
                raise ValueError(
                    f"{spec.name}: {folder}: {fault}. Run `make image ACCELERATOR=vulkan`."
                )
            try:
                return VulkanRuntime(folder, self.threads, software=self.software)
            except ValueError as error:
                raise ValueError(f"{spec.name}: {error}") from error
        return self.on_cpu(path)

    def on_cpu(self, path: Path) -> Runtime:
        """The same model by ONNX Runtime, which every image has."""
        return OnnxRuntime(path / GRAPH_FILE, self.threads)
