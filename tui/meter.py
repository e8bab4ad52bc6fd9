"""Load of the machine: processor and memory by psutil, GPUs by NVML where there are any.

Both libraries are imported with the first sample, in the poller's thread, so that the first paint does not wait for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.engines.nvml import started


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU now: percent of time busy, bytes of memory, degrees Celsius."""

    index: int
    busy: int
    used: int
    total: int
    degrees: int


@dataclass(frozen=True, slots=True)
class Sample:
    """The machine at one moment. `busy` is percent of all cores; `gpus_of` names the GPUs that a process uses."""

    busy: float
    used: int
    total: int
    gpus: tuple[Gpu, ...] = ()
    gpus_of: Mapping[int, tuple[int, ...]] = field(default_factory=dict)


class Meter:
    """Takes samples; each processor figure covers the time since the sample before."""

    def __init__(self) -> None:
        import psutil

        self._psutil = psutil
        self._nvml = started()
        psutil.cpu_percent()

    def sample(self) -> Sample:
        """The machine now."""
        memory = self._psutil.virtual_memory()
        gpus, processes = self._gpus() if self._nvml else ((), {})
        return Sample(self._psutil.cpu_percent(), memory.total - memory.available, memory.total, gpus, processes)

    def _gpus(self) -> tuple[tuple[Gpu, ...], dict[int, tuple[int, ...]]]:
        """Every GPU and who uses it; a driver that fails under way is not asked again."""
        nvml = self._nvml
        assert nvml is not None
        try:
            handles = [nvml.nvmlDeviceGetHandleByIndex(i) for i in range(nvml.nvmlDeviceGetCount())]
            users: dict[int, tuple[int, ...]] = {}
            for index, handle in enumerate(handles):
                for process in nvml.nvmlDeviceGetComputeRunningProcesses(handle):
                    users[process.pid] = (*users.get(process.pid, ()), index)
            return tuple(_gpu(nvml, index, handle) for index, handle in enumerate(handles)), users
        except nvml.NVMLError:
            self._nvml = None
            return (), {}


def _gpu(nvml: Any, index: int, handle: Any) -> Gpu:  # noqa: ANN401 - NVML has no types
    memory, busy = nvml.nvmlDeviceGetMemoryInfo(handle), nvml.nvmlDeviceGetUtilizationRates(handle)
    degrees = nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)
    return Gpu(index, int(busy.gpu), int(memory.used), int(memory.total), int(degrees))
