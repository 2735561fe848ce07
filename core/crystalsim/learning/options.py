"""Options that every surrogate shares; imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from ..options import Meta


@dataclass(frozen=True)
class SurrogateOptions:
    """Options of training and of what is predicted. Subclass it for a model of your own."""

    predicts: Annotated[
        Literal["stream_function", "velocity"],
        Meta(description="a stream function makes the velocity divergence-free to rounding"),
    ] = "stream_function"
    background: Annotated[
        Literal["none", "isoviscous", "dilute"],
        Meta(
            description="flow that the network corrects: none, the isoviscous flow, or that and "
            "the response of each crystal as if it were alone"
        ),
    ] = "dilute"
    epochs: Annotated[int, Meta(ge=1, description="passes over the training samples")] = 5
    batch_size: Annotated[int, Meta(ge=1, description="samples a step")] = 16
    learning_rate: Annotated[float, Meta(gt=0, description="largest step of AdamW")] = 2e-3
    weight_decay: Annotated[float, Meta(ge=0, description="of AdamW")] = 1e-4
    warm_up: Annotated[int, Meta(ge=0, description="steps until the largest learning rate")] = 50
    gradient_clip: Annotated[float, Meta(gt=0, description="largest norm of the gradient")] = 1.0
    strain_weight: Annotated[
        float, Meta(ge=0, description="weight of the relative error of the strain rate in the loss")
    ] = 0.3
    mirror: Annotated[bool, Meta(description="mirror samples at random while training")] = True
    device: Annotated[
        Literal["auto", "cpu", "cuda"], Meta(description="auto takes a GPU if there is one")
    ] = "auto"
