"""What a figure was measured on."""

import importlib.metadata
import os
import pathlib
import platform

TELLING_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
PACKAGES = ("tensorflow", "tf-keras", "torch", "onnxruntime", "safetensors", "webdataset", "numpy")


def describe() -> dict:
    """Processor, cores, the flags that decide how fast products are, and versions."""
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    facts = dict(map(str.strip, line.split(":", 1)) for line in lines if ":" in line)
    names = ("model name", "cpu family", "model")
    return {
        "processor": ", ".join(f"{name} {facts[name]}" for name in names if name in facts),
        "cores": len(os.sched_getaffinity(0)),
        "flags": [flag for flag in TELLING_FLAGS if flag in facts.get("flags", "").split()],
        "python": platform.python_version(),
        "versions": {name: version for name in PACKAGES if (version := _version(name))},
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
