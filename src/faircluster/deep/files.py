"""Tensors and a JSON header in one safetensors file, with a digest that tells damage."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from faircluster.atomic import atomic_write

__all__ = ["read_tensors", "write_tensors"]

Tensors = dict[str, torch.Tensor]
VERSION = 1


def write_tensors(
    path: str | os.PathLike[str], kind: str, header: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]
) -> None:
    """Write a header and tensors, atomically; O(bytes). Nothing is pickled.

    Parameters
    ----------
    path : path
    kind : str
        What the file is, such as "faircluster deep model".
    header : dict
        Plain JSON.
    tensors : dict from name to tensor

    Raises
    ------
    OSError
        The file cannot be written; an older one is left as it was.

    Examples
    --------
    >>> import tempfile, torch
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_tensors(Path(folder) / "a", "demo", {"n": 1}, {"x": torch.arange(2)})
    ...     read_tensors(Path(folder) / "a", "demo")
    ({'n': 1}, {'x': tensor([0, 1])})
    """
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    text = json.dumps({"kind": kind, "version": VERSION, **header}, allow_nan=True)
    raw = save(plain, metadata={"header": text, "digest": _digest(text, plain)})
    with atomic_write(path) as file:
        file.write(raw)


def read_tensors(path: str | os.PathLike[str], kind: str) -> tuple[dict[str, Any], Tensors]:
    """Read what :func:`write_tensors` wrote.

    Parameters
    ----------
    path : path
    kind : str

    Returns
    -------
    header : dict
    tensors : dict from name to tensor
        On the CPU.

    Raises
    ------
    ValueError
        Another kind of file, one that is cut short or altered, or one of a newer version.
    OSError
        The file does not exist or cannot be read.

    Examples
    --------
    See :func:`write_tensors`.
    """
    name = os.fspath(path)
    with open(path, "rb"):
        pass  # a missing file is an OSError, not a damaged one
    try:
        with safe_open(name, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - no mapping
        header = json.loads(metadata["header"])
        whole = metadata["digest"] == _digest(metadata["header"], tensors)
        found, version = header.pop("kind"), header.pop("version")
    except (SafetensorError, KeyError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        raise ValueError(
            f"{name} is not a {kind}: it is cut short, altered or another kind of file ({error}); use an "
            "intact copy"
        ) from error
    if not whole:
        raise ValueError(f"{name} was altered: its digest does not fit its content; use an intact copy")
    if found != kind:
        raise ValueError(f"{name} is a {found}, not a {kind}")
    if version != VERSION:
        raise ValueError(f"{name} has format {version}, this faircluster reads {VERSION}; update faircluster")
    return header, tensors


def _digest(text: str, tensors: Mapping[str, torch.Tensor]) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        digest.update(f"{name}\x1f{tensor.dtype}\x1f{tuple(tensor.shape)}\x1e".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes() if tensor.numel() else b"")
    return digest.hexdigest()
