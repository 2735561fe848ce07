"""Options that every surrogate shares; imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from ..options import Meta

__all__ = ["PrototypeOptions", "SurrogateOptions"]


@dataclass(frozen=True)
class SurrogateOptions:
    """Options of training and of what is predicted. Subclass it for a model of your own."""

    predicts: Annotated[
        Literal["stream_function", "velocity", "extra_stress"],
        Meta(
            description="a stream function makes the velocity divergence-free to rounding; so does "
            "the extra stress of the crystals, which an isoviscous solve turns into the flow"
        ),
    ] = "stream_function"
    background: Annotated[
        Literal["none", "isoviscous", "dilute"],
        Meta(
            description="flow that the network corrects: none, the isoviscous flow, or that and "
            "the response of each crystal as if it were alone"
        ),
    ] = "dilute"
    inputs: Annotated[
        Literal["physics", "phase"],
        Meta(description="geometry and background flows, or the area of the crystals alone"),
    ] = "physics"
    unit: Annotated[
        Literal["isoviscous", "stokes"],
        Meta(
            description="unit of the network's output: the sample's rms isoviscous velocity, or "
            "the Stokes velocity of its first crystal"
        ),
    ] = "isoviscous"
    epochs: Annotated[int, Meta(ge=1, description="passes over the training samples")] = 5
    batch_size: Annotated[int, Meta(ge=1, description="samples a step")] = 16
    learning_rate: Annotated[float, Meta(gt=0, description="largest step of AdamW")] = 2e-3
    weight_decay: Annotated[float, Meta(ge=0, description="weight decay of AdamW")] = 1e-4
    warm_up: Annotated[int, Meta(ge=0, description="steps until the largest learning rate")] = 50
    gradient_clip: Annotated[float, Meta(gt=0, description="largest norm of the gradient")] = 1.0
    velocity_weight: Annotated[
        float, Meta(ge=0, description="weight in the loss: relative L2 error of the velocity")
    ] = 1.0
    strain_weight: Annotated[
        float, Meta(ge=0, description="weight: relative error of the strain rate (H1)")
    ] = 0.3
    mean_square_weight: Annotated[
        float, Meta(ge=0, description="weight: mean squared error in Stokes velocities")
    ] = 0.0
    crystals_weight: Annotated[
        float, Meta(ge=0, description="weight: error of the crystals' velocities")
    ] = 0.0
    divergence_weight: Annotated[
        float, Meta(ge=0, description="weight: divergence; needs no solutions")
    ] = 0.0
    momentum_weight: Annotated[
        float, Meta(ge=0, description="weight: unbalanced momentum; needs no solutions")
    ] = 0.0
    constitutive_weight: Annotated[
        float,
        Meta(ge=0, description="weight: extra stress against strain rate; needs no solutions"),
    ] = 0.0
    rigidity_weight: Annotated[
        float, Meta(ge=0, description="weight: strain rate in crystals; needs no solutions")
    ] = 0.0
    mirror: Annotated[bool, Meta(description="mirror samples at random while training")] = True
    patience: Annotated[
        int, Meta(ge=0, description="stop after so many epochs without improvement; 0 never does")
    ] = 0
    keep_every: Annotated[
        int, Meta(ge=0, description="epochs between weights that are kept; 0 keeps none")
    ] = 0
    checkpoint_seconds: Annotated[
        float, Meta(ge=0, description="time between states from which training can go on [s]")
    ] = 30.0
    memory: Annotated[
        float, Meta(gt=0, description="data beyond this are streamed from files [GB]")
    ] = 4.0
    precision: Annotated[
        Literal["single", "mixed"],
        Meta(description="mixed computes networks in bfloat16, all else in single precision"),
    ] = "single"
    device: Annotated[
        Literal["auto", "cpu", "cuda"], Meta(description="auto takes a GPU if there is one")
    ] = "auto"


@dataclass(frozen=True)
class PrototypeOptions(SurrogateOptions):
    """The recipe of the Julia prototype that crystalsim replaced, as defaults to mix in."""

    predicts: Annotated[
        Literal["stream_function", "velocity", "extra_stress"],
        Meta(description="the prototype gave out the velocity, which need not be divergence-free"),
    ] = "velocity"
    background: Annotated[
        Literal["none", "isoviscous", "dilute"],
        Meta(description="flow that the network corrects; the prototype had none"),
    ] = "none"
    inputs: Annotated[
        Literal["physics", "phase"],
        Meta(description="geometry and background flows, or the area of the crystals alone"),
    ] = "phase"
    unit: Annotated[
        Literal["isoviscous", "stokes"],
        Meta(description="unit of the output; the prototype had a crystal's Stokes velocity"),
    ] = "stokes"
    velocity_weight: Annotated[
        float, Meta(ge=0, description="weight in the loss: relative L2 error of the velocity")
    ] = 0.0
    strain_weight: Annotated[
        float, Meta(ge=0, description="weight: relative error of the strain rate (H1)")
    ] = 0.0
    mean_square_weight: Annotated[
        float, Meta(ge=0, description="weight: mean squared error in Stokes velocities")
    ] = 1.0
    mirror: Annotated[bool, Meta(description="mirror samples at random while training")] = False
