"""The model: a few steps of conjugate gradients with learned directions."""

from __future__ import annotations

import importlib.resources
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn

from crystalsim.errors import UnsupportedError
from crystalsim.learning.batches import Batch
from crystalsim.learning.heads import Flow, of_correction
from crystalsim.learning.surrogate import TorchSurrogate

from .network import Step
from .plugin import PolarizationOptions
from .support import Support

MIRRORS = (0, 1, 2, 3)


class Polarization(TorchSurrogate):
    """Extra stress of the crystals by flexible conjugate gradients, preconditioned by networks.

    The extra stress (polarization) ``t`` of the crystals obeys ``(1/D + Gamma) t = S psi0``, see
    `crystalsim.stokes.extra_stress`; the operator is symmetric positive definite where crystals
    are more viscous than the magma. Each step maps the strain rate ``r`` that is not accounted for
    to a direction, ``r / (1/D + 1/2)`` and what a network adds to it, makes it conjugate to those
    before, and goes as far as lowers the energy most (Notay 2000, doi:10.1137/S1064827599362314).
    The energy falls with every step whatever the network says, so that a prediction is never
    worse than a start without the network would be in that norm. The isoviscous solve in each
    step carries walls, neighbours at any distance and incompressibility; the network is local,
    sees crystals alone, and serves any number of them on any grid.
    """

    options_class = PolarizationOptions

    @classmethod
    def pretrained(cls) -> Self:
        """Load the weights of this distribution; README.md tells how they were trained."""
        with importlib.resources.as_file(importlib.resources.files(__package__) / "weights") as at:
            return cls.load(at)

    def build_network(self, inputs: int, outputs: int) -> nn.Module:
        """Make the steps; they see crystals and strain rates in place of input channels."""
        options: PolarizationOptions = self.options
        return nn.ModuleList(
            Step(options.width, options.geometry_width, options.layers)
            for _ in range(options.steps)
        )

    def flow(self, batch: Batch, spacing: tuple[float, float]) -> Flow:
        """Predict a batch; see `TorchSurrogate.flow`.

        Raises
        ------
        UnsupportedError
            If a crystal is weaker than the magma.
        """
        if bool((batch.rigidity_cell < 0).any()):
            raise UnsupportedError(
                "the model polarization: a crystal is less viscous than the magma; expected "
                "contrasts of one or more (the solver builtin takes others)"
            )
        assert isinstance(self.network, nn.ModuleList)
        support = Support(batch, spacing)
        psi = batch.isoviscous
        stress = torch.zeros_like(support.rigidity)
        residual = support.strain_rate(psi)
        diagonal = 1.0 / (support.compliance + 0.5)
        correction = torch.zeros_like(psi)
        searched: list[Direction] = []
        for step in self.network:
            direction = self._direction(step, diagonal * residual, support)
            for last in searched:
                overlap = support.dot(direction, last.image) / last.energy
                direction = direction - overlap[support.sample] * last.stress
            response = support.response(direction)
            image = support.compliance * direction + support.strain_rate(response)
            energy = support.dot(direction, image).clamp(min=1e-12)
            length = support.dot(direction, residual) / energy
            stress = stress + length[support.sample] * direction
            residual = residual - length[support.sample] * image
            correction = correction - length[:, None, None] * response
            searched.append(Direction(direction, image, energy))
        normal, shear = support.scatter(stress)
        return of_correction(correction, batch, *spacing)._replace(normal=normal, shear=shear)

    def _direction(self, step: nn.Module, strain: Tensor, support: Support) -> Tensor:
        assert self.network is not None
        if self.network.training:
            # One of the four, at random: training sees all mirror images in the end.
            mirrors: tuple[int, ...] = (int(torch.randint(0, 4, (1,))),)
        else:
            mirrors = MIRRORS if self.options.symmetric else (0,)
        learned = sum(self.call(step, strain, support, mirror) for mirror in mirrors)
        return strain + support.rigidity * (learned / len(mirrors))


class Direction(NamedTuple):
    """A direction that was searched.

    Attributes
    ----------
    stress, image
        The direction and the operator applied to it (node).
    energy
        Their inner product (sample).
    """

    stress: Tensor
    image: Tensor
    energy: Tensor
