"""Runs a converted graph with ncnn on a card, by Vulkan, in fp32; nowhere else in silence.

ncnn computes on the CPU, and reports success, where there is no driver: so the device is chosen
here, and every layer that computes has to be one that it runs.
"""

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service import contract
from service.telemetry import LOGGER

PARAM_FILE = "model.ncnn.param"
WEIGHTS_FILE = "model.ncnn.bin"
INPUT, OUTPUT = "in0", "out0"

DRIVERS = Path("/usr/share/vulkan/icd.d")
NODES = Path("/dev/dri")
_DRIVER_FILES = {contract.VULKAN: "radeon_icd*.json", contract.SOFTWARE: "lvp_icd*.json"}
_DRIVER_VARIABLES = ("VK_DRIVER_FILES", "VK_ICD_FILENAMES")  # the newer name and the older
_CPU_DEVICE = 3  # ncnn's number for a device that is the processor

_ON_CPU = frozenset({"Input", "Split", "MemoryData"})
"""Layers that compute nothing, and the light ends of a graph, which may stay on the processor."""

_log = logging.getLogger(f"{LOGGER}.vulkan")


class DeviceLost(BaseException):
    """The card, or its driver, has failed: nothing in this process will be computed on it again.

    No `Exception`: the process has to end and be started anew, which is all that helps.
    """


class VulkanRuntime:
    """A converted graph with one input (n, ...) and one output (n, m), both float32."""

    name = "ncnn"

    def __init__(self, folder: Path, threads: int, *, software: bool) -> None:
        """Loads the graph onto the device.

        Args:
            folder: holds `PARAM_FILE` and `WEIGHTS_FILE`.
            threads: for what is left to the processor.
            software: run Vulkan in software and on no card; for tests.

        Raises:
            ValueError: there is no such device here, or ncnn does not load the graph; one line.
        """
        self.device = contract.SOFTWARE if software else contract.VULKAN
        ncnn, number, told = _device(self.device)
        net = ncnn.Net()
        options = net.opt
        options.use_vulkan_compute = True
        options.num_threads = threads
        # A 580 has no fp16 arithmetic, and fp16 storage costs three digits: fp32 by name, for
        # ncnn's own choice depends on the device.
        options.use_fp16_packed = options.use_fp16_storage = options.use_fp16_arithmetic = False
        options.use_bf16_storage = False
        net.set_vulkan_device(number)
        param, weights = str(folder / PARAM_FILE), str(folder / WEIGHTS_FILE)
        if net.load_param(param) or net.load_model(weights):
            raise ValueError(f"{folder}: ncnn cannot load it. Build the image vulkan again.")
        self._ncnn, self._net = ncnn, net
        self._refuse_cpu_layers(folder)
        self._told = told

    def run(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, ...) float32 in, (n, m) float32 out.

        Raises:
            DeviceLost: the device does not compute.
        """
        with self._net.create_extractor() as extractor:
            # The copy is ncnn's own: it must not read memory that numpy may free.
            given = self._ncnn.Mat(np.ascontiguousarray(inputs), batch_index=0).clone()
            failed = extractor.input(INPUT, given)
            if not failed:
                failed, output = extractor.extract(OUTPUT)
            if failed:
                raise DeviceLost(f"{self._told}: ncnn gave {failed}")
            outputs: NDArray[np.float32] = output.numpy(batch_index=0).reshape(len(inputs), -1)
            return outputs.copy()

    def _refuse_cpu_layers(self, folder: Path) -> None:
        """A layer that ncnn has no shader for would send every photo back and forth."""
        left = [layer.type for layer in self._net.layers() if not layer.support_vulkan]
        if wrong := sorted(set(left) - _ON_CPU):
            raise ValueError(
                f"{folder}: ncnn has no shader for {', '.join(wrong)}. Build the image vulkan "
                "again, with the ncnn of uv.lock."
            )


def _device(wanted: str) -> tuple[Any, int, str]:
    """ncnn, the number of the device, and what it is, in words.

    Raises:
        ValueError: ncnn is missing, or there is no such device here; with the cause.
    """
    files = sorted(str(path) for path in DRIVERS.glob(_DRIVER_FILES[wanted]))
    # Mesa's packages bring every driver, and without a card the loader would take the software.
    os.environ.update(dict.fromkeys(_DRIVER_VARIABLES, ":".join(files)))
    try:
        import ncnn  # type: ignore[import-untyped]  # only the image vulkan has it
    except ImportError as error:
        raise ValueError(
            f"{contract.ENV_ACCELERATOR}: ncnn is not installed here ({error}). Run the image "
            "vulkan, or set it to cpu."
        ) from error
    devices = [ncnn.get_gpu_info(number) for number in range(ncnn.get_gpu_count())]
    is_software = wanted == contract.SOFTWARE
    for number, info in enumerate(devices):
        if (info.type() == _CPU_DEVICE) == is_software:
            told = f"{info.device_name()}, driver {_version(info.driver_version())}"
            _log.info("vulkan: device %d is %s", number, told)
            return ncnn, number, told
    found = [info.device_name() for info in devices]
    raise ValueError(f"vulkan: no device to run on: {_cause(files, found)}")


def _version(packed: int) -> str:
    """A driver's version as Vulkan packs it: 10 bits, 10 bits, 12 bits."""
    return f"{packed >> 22}.{packed >> 12 & 0x3FF}.{packed & 0xFFF}"


def _cause(files: Sequence[str], found: Sequence[str]) -> str:
    """Why there is no device, as far as it can be seen from inside of a container."""
    if not files:
        return f"no driver in {DRIVERS}. Run the image vulkan"
    if found:
        return f"there is only {', '.join(found)}"
    nodes = sorted(NODES.glob("renderD*"))
    if not nodes:
        return f"no device node in {NODES}. The container has to be given one"
    shut = [str(node) for node in nodes if not os.access(node, os.R_OK | os.W_OK)]
    if shut:
        groups = ", ".join(str(group) for group in sorted({os.getgid(), *os.getgroups()}))
        owner = nodes[0].stat().st_gid
        return f"{', '.join(shut)} is of group {owner}, and this process has {groups}"
    return "the driver finds no card behind the device node; is its kernel driver amdgpu?"
