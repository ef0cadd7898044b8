"""One door to every service: what a model is decides what it serves.

diffusion-image, diffusion-video   images        image, video-second
encoder                            embeddings    embedding
speech                             recognition   audio-second
vla                                control       step
any decoder                        as asked: embeddings, synthesis, agents, batch (`as_service`)
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any

from gigawatt.core.errors import InputError, Problem, unknown_name
from gigawatt.physics.chip.device import Chip
from gigawatt.physics.serving.services.agents import AgentTask, agents, usual_task
from gigawatt.physics.serving.services.embeddings import embeddings
from gigawatt.physics.serving.services.frontier import ServiceFrontier
from gigawatt.physics.serving.services.images import Sample, images
from gigawatt.physics.serving.services.offline import Tier, offline
from gigawatt.physics.serving.services.robots import Loop, control
from gigawatt.physics.serving.services.speech import recognition, synthesis
from gigawatt.physics.workload import Architecture, model_kind

Service = Callable[..., ServiceFrontier]
SERVICES: Mapping[str, Service] = {
    "images": images,
    "embeddings": embeddings,
    "recognition": recognition,
    "synthesis": synthesis,
    "control": control,
    "agents": agents,
    "batch": offline,
}
# What a kind of model serves, the usual service first; chat is not among them: that is `search.frontier`.
OF_KIND: Mapping[str, tuple[str, ...]] = {
    "diffusion-image": ("images",),
    "diffusion-video": ("images",),
    "encoder": ("embeddings",),
    "speech": ("recognition",),
    "vla": ("control",),
    "autoencoder": (),
}
OF_DECODERS = ("agents", "batch", "embeddings", "synthesis")


def services_of(arch: Architecture) -> tuple[str, ...]:
    """The services of a model, its usual one first; decoders serve chat first, and these besides."""
    return OF_KIND.get(model_kind(arch), OF_DECODERS)


def usual_service(arch: Architecture) -> str:
    """What a model serves where nothing is said: a service of `SERVICES`, "chat" for a decoder, "" for a part of others."""
    offered = OF_KIND.get(model_kind(arch), ("chat",))
    return offered[0] if offered else ""


# What an option is made of, so that its fields can be given one by one.
PARTS: Mapping[str, tuple[str, Callable[..., Any], type[Any]]] = {
    "images": ("sample", Sample, Sample),
    "control": ("loop", Loop, Loop),
    "agents": ("task", usual_task, AgentTask),
    "batch": ("tier", Tier, Tier),
}


def options_of(service: str) -> tuple[str, ...]:
    """The options of a service by name, and the fields of those that are made of several.

    Raises:
        InputError: no such service.
    """
    if service not in SERVICES:
        raise InputError(unknown_name("service", service, SERVICES))
    given = inspect.signature(SERVICES[service]).parameters.values()
    own = tuple(p.name for p in given if p.kind is inspect.Parameter.KEYWORD_ONLY)
    return own + (tuple(f.name for f in fields(PARTS[service][2])) if service in PARTS else ())


def gathered(service: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options with single fields (`steps`, `cameras`, `calls`) put into what they are part of."""
    if service not in PARTS:
        return dict(options)
    name, make, shape = PARTS[service]
    own = {f.name for f in fields(shape)}
    single = {key: value for key, value in options.items() if key in own}
    rest = {key: value for key, value in options.items() if key not in own}
    if not single:
        return rest
    return rest | {name: replace(rest[name], **single) if name in rest else make(**single)}


def answer(
    arch: Architecture, chip: Chip, *, config: Mapping[str, Any] | None = None, as_service: str = "", **options: Any
) -> ServiceFrontier:
    """Operating points of a model's service on a chip.

    Args:
        arch: the model.
        chip: the chip.
        config: the model's configuration as published; images and clips need it.
        as_service: one of `services_of(arch)`; the model's usual one where empty.
        options: those of the service (`options_of`); fields of a sample, a loop, a task or a tier may be given one by one.

    Raises:
        InputError: a service that the model does not offer, an option that the service does not know; what it refuses.
    """
    name = as_service or usual_service(arch)
    if name == "chat":
        hint = f"say which of {', '.join(OF_DECODERS)}, or ask for chat (search.frontier)"
        raise InputError(Problem("chat", f"model '{arch.name}' serves chat unless told otherwise", None, (hint,)))
    offered = services_of(arch)
    if not offered:
        hint = "an image decoder is a companion of an image or video model"
        raise InputError(Problem("no_service", f"model '{arch.name}' serves nothing on its own", None, (hint,)))
    if name not in offered:
        raise InputError(unknown_name(f"service of '{arch.name}'", name, offered))
    known = options_of(name)
    wrong = [unknown_name(f"option of {name}", key, known) for key in options if key not in known]
    if wrong:
        raise InputError(wrong)
    made = gathered(name, options)
    if name == "images":
        if config is None:
            raise InputError(
                Problem("no_config", f"model '{arch.name}': its configuration is needed for its usual size")
            )
        return images(arch, config, chip, **made)
    return SERVICES[name](arch, chip, **made)
