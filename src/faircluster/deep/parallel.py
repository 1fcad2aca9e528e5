"""Training by several processes: each takes its share of every batch, and all know the whole batch's outcome.

A process group that is there when ``fit`` is called is used; without one the team has a single member and
nothing here communicates. Losses are functions of a whole batch (the marginal entropy is no mean over
samples), so members exchange log probabilities, k numbers a sample, and every one computes the same loss.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import distributed, nn

__all__ = ["Team"]

if distributed.is_available():
    # Its functions have the process group there is when it is imported as a default argument. The optimizer
    # imports it, in the middle of a fit: the group would outlive destroy_process_group, and its threads end
    # with the interpreter, which now and then aborts the process.
    import torch.distributed.nn.functional

Array = NDArray[Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Team:
    """The processes that train together.

    Attributes
    ----------
    rank : int
        Number of this one.
    size : int
        How many there are.

    Examples
    --------
    >>> Team.current()
    Team(rank=0, size=1)
    """

    rank: int = 0
    size: int = 1

    @classmethod
    def current(cls) -> Team:
        """Return the team of torch's default process group; of one member where there is none."""
        if not (distributed.is_available() and distributed.is_initialized()):
            return cls()
        return cls(distributed.get_rank(), distributed.get_world_size())

    def own(self, index: Array) -> Array:
        """Every size-th entry, beginning with the rank's."""
        return index[self.rank :: self.size]

    def filled(self, index: Array) -> Array:
        """Repeat entries of a small batch until every member has two: a batch norm needs them."""
        return index if len(index) >= 2 * self.size else np.resize(index, 2 * self.size)

    def joined(self, part: torch.Tensor, total: int) -> torch.Tensor:
        """Rows of all members in the order of the batch; gradients flow back to the members.

        Parameters
        ----------
        part : tensor of shape (m, k)
            Of the entries :meth:`own` gave.
        total : int
            Rows of the batch.

        Returns
        -------
        tensor of shape (total, k)
        """
        if self.size == 1:
            return part
        most = -(-total // self.size)
        padded = nn.functional.pad(part, (0, 0, 0, most - len(part)))
        every: torch.Tensor = _Join.apply(padded, self)
        return every.transpose(0, 1).reshape(most * self.size, -1)[:total]

    def average_gradients(self, network: nn.Module) -> None:
        """Make gradients those of the common loss: every member's, averaged."""
        if self.size == 1:
            return
        given = [p.grad for p in network.parameters() if p.grad is not None]
        self._average(given)

    def average_statistics(self, network: nn.Module) -> None:
        """Average what layers remember of their inputs, such as means and variances."""
        if self.size == 1:
            return
        self._average([buffer for buffer in network.buffers() if buffer.is_floating_point()])

    def parts(self, part: Array) -> list[Array]:
        """Arrays of all members, by rank."""
        if self.size == 1:
            return [part]
        every: list[Any] = [None] * self.size
        distributed.all_gather_object(every, part)
        return every

    def shared(self, make: Callable[[], T]) -> T:
        """Give all what the first member makes; an exception there is raised by all."""
        if self.size == 1:
            return make()
        box: list[Any] = [None]
        if self.rank == 0:
            try:
                box[0] = (True, make())
            except Exception as error:
                box[0] = (False, error)
        distributed.broadcast_object_list(box, src=0)
        made, value = box[0]
        if not made:
            raise value
        found: T = value
        return found

    def wait(self) -> None:
        """Wait until all members are here."""
        if self.size > 1:
            distributed.barrier()

    def _average(self, tensors: list[torch.Tensor]) -> None:
        """Average tensors over the members, in one message."""
        if not tensors:
            return
        flat = torch.cat([tensor.detach().flatten().float() for tensor in tensors])
        distributed.all_reduce(flat)
        flat /= self.size
        start = 0
        for tensor in tensors:
            tensor.detach().copy_(flat[start : start + tensor.numel()].view_as(tensor))
            start += tensor.numel()


class _Join(torch.autograd.Function):
    """Gather equal tensors of all members, (size, m, k).

    Every member derives the same loss by what it has gathered, so the gradient by one's own part is the sum
    of all members'; :meth:`Team.average_gradients` later divides by their number.
    """

    @staticmethod
    def forward(ctx: Any, part: torch.Tensor, team: Team) -> torch.Tensor:
        ctx.rank = team.rank
        parts = [torch.empty_like(part) for _ in range(team.size)]
        distributed.all_gather(parts, part.contiguous())
        return torch.stack(parts)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:  # type: ignore[override]
        total = gradient.contiguous().clone()
        distributed.all_reduce(total)
        return total[ctx.rank], None
