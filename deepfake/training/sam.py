"""Sharpness-aware minimisation around any optimiser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

__all__ = ["SharpnessAware"]

_TINY = 1e-12


class SharpnessAware(torch.optim.Optimizer):
    """Step an optimiser with the gradient at the worst point nearby.

    Each step computes the loss twice: where the weights are, and `rho` along the gradient from
    there. The weights themselves are moved by the second gradient.

    Source: Foret et al., Sharpness-Aware Minimization for Efficiently Improving Generalization,
    ICLR 2021, algorithm 1.

    Args:
        base: Takes the steps; its groups and its state are this one's.
        rho: Radius.
    """

    def __init__(self, base: torch.optim.Optimizer, *, rho: float) -> None:
        super().__init__(base.param_groups, base.defaults)
        self.base, self.rho = base, rho
        # One list for both: a schedule changes the learning rate of either.
        base.param_groups = self.param_groups
        self.state = base.state

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take a step.

        Args:
            closure: Clears the gradients, computes the loss and its gradients, returns the loss.
        """
        assert closure is not None, "the loss is computed twice, so it has to be handed in"
        with torch.enable_grad():
            loss = closure()
        moved = self._climb()
        with torch.enable_grad():
            closure()
        for parameter, offset in moved:
            parameter.sub_(offset)
        self.base.step()
        return loss

    def _climb(self) -> list[tuple[Tensor, Tensor]]:
        trained = [p for g in self.param_groups for p in g["params"] if p.grad is not None]
        norm = torch.linalg.vector_norm(torch.stack([p.grad.norm() for p in trained]))
        moved = [(p, p.grad * (self.rho / (norm + _TINY))) for p in trained]
        for parameter, offset in moved:
            parameter.add_(offset)
        return moved

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load what `state_dict` gave."""
        super().load_state_dict(state_dict)
        self.base.param_groups, self.base.state = self.param_groups, self.state
