"""What a run compares: nodes, workload, policies and seeds. One typed form for page, API and task.

Nodes are written as relative speeds, `4:2:1`; `8x1` stands for eight nodes of speed 1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from rest_framework import serializers

from apps.cluster.services.balancing import policy_names
from loadbalancer import registry
from loadbalancer.workload import SIZES, NodeSpec, Outage, Trace, folder, node_mix, open_loop, rate_for
from marketplace.api import Fields, invalid

MAX_NODES = 1_000
MAX_IMAGES = 100_000  # of one trace
MAX_WORK = 5_000_000  # images of all cells
REAL_MEAN = 0.25  # seconds: what needs more than a large photo gives is done with smaller ones, faster
FOLDER, OPEN = "folder", "open"
NONE, DIES = "none", "dies"
_GROUP = re.compile(r"(?:(\d{1,4})\s*[x×]\s*)?(\d+(?:\.\d+)?|\.\d+)")


@dataclass(frozen=True)
class Config:
    """A workload on nodes, and what is tried on it. Seconds are those of a node of speed 1."""

    nodes: str = "2:1"
    slots: int = 1
    arrivals: str = FOLDER  # all images at once, or jobs as a Poisson process
    jobs: int = 1  # that arrive; a folder is one
    images: int = 200  # of the folder, or of each job
    load: float = 0.9  # part of the nodes' capacity that arrivals keep busy
    sizes: str = "uniform"
    mean: float = 1.0  # seconds an image
    cold: float = 0.0  # seconds to load weights in a slot
    chunk: float = 0.0  # seconds of work bound as one piece; 0: each image
    fault: str = NONE
    policies: tuple[str, ...] = ()
    seeds: int = 5
    alone: bool = True  # single nodes, to compare with
    app: str = ""  # of a real run: what is done to each image

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"policies": list(self.policies)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Config:
        """What is missing takes its default: rows outlive versions of this class."""
        names = {field.name for field in fields(cls)}
        known = {name: value for name, value in data.items() if name in names}
        return cls(**known | {"policies": tuple(known.get("policies", ()))})

    @property
    def total_images(self) -> int:
        return self.images * (self.jobs if self.arrivals == OPEN else 1)

    @property
    def case(self) -> str:
        """In a few words."""
        arrivals = f"a folder of {self.images}" if self.arrivals == FOLDER else f"load {self.load:g}"
        more = ["cold weights"] * (self.cold > 0) + ["one node dies"] * (self.fault == DIES)
        return ", ".join([f"nodes {self.nodes}", arrivals, f"{self.sizes} sizes", *more])

    def specs(self) -> tuple[NodeSpec, ...]:
        return parse_nodes(self.nodes, slots=self.slots, cold=self.cold)

    def trace(self, seed: int, nodes: Sequence[NodeSpec]) -> Trace:
        """The same for every policy. `nodes` decide how fast jobs arrive."""
        if self.arrivals == FOLDER:
            return folder(self.images, sizes=self.sizes, mean=self.mean, seed=seed)
        rate = rate_for(self.load, tuple(nodes), images=self.images, mean=self.mean)
        return open_loop(
            self.jobs, rate=rate, images=self.images, sizes=self.sizes, mean=self.mean, seed=seed
        )

    def least_seconds(self, nodes: Sequence[NodeSpec]) -> float:
        """About what a cell takes on these real nodes at the very least."""
        capacity = sum(node.capacity for node in nodes)
        work = self.total_images * min(self.mean, REAL_MEAN) / capacity
        return work if self.arrivals == FOLDER else work / min(1.0, self.load)


def dies(nodes: Sequence[NodeSpec], bound: float) -> tuple[NodeSpec, ...]:
    """The first node is dead for the middle third of the least time there could be."""
    return (replace(nodes[0], outages=(Outage(bound / 3, 2 * bound / 3),)), *nodes[1:])


def parse_nodes(text: str, *, slots: int = 1, cold: float = 0.0) -> tuple[NodeSpec, ...]:
    """Raises ValueError that says what to write."""
    speeds: list[str] = []
    for part in re.split(r"[:,;\s]+(?![x×])", re.sub(r"\s*[x×]\s*", "x", text.strip())):
        found = _GROUP.fullmatch(part)
        if not found or float(found[2]) <= 0:
            raise ValueError(
                f"no speed: {part[:20]!r}. Write speeds such as 4:2:1, or 8x1 for eight equal nodes"
            )
        speeds += [found[2]] * int(found[1] or 1)
        if len(speeds) > MAX_NODES:
            raise ValueError(f"these are more than {MAX_NODES:,} nodes, the most that can be simulated")
    if not speeds:
        raise ValueError("there are no nodes in it. Write speeds such as 4:2:1")
    return node_mix(":".join(speeds), slots=slots, cold=cold)


class Known(serializers.Serializer[Any]):
    """Refuses names that it does not know: a typing error must not look like a default."""

    def to_internal_value(self, data: Any) -> Any:
        unknown = sorted(set(data) - set(self.fields)) if isinstance(data, dict) else []
        if unknown:
            raise serializers.ValidationError({str(name): ["is not known"] for name in unknown})
        return super().to_internal_value(data)


class ConfigSerializer(Known):
    """Types and bounds; what depends on several fields is in `checked`."""

    nodes = serializers.CharField(
        default="2:1",
        max_length=200,
        allow_blank=True,
        help_text="relative speeds: 4:2:1; 8x1 is eight nodes of speed 1. A real run takes those there are",
    )
    slots = serializers.IntegerField(default=1, min_value=1, max_value=64, help_text="of each node")
    arrivals = serializers.ChoiceField(
        [FOLDER, OPEN], default=FOLDER, help_text="all images at once, or jobs that come by and by"
    )
    jobs = serializers.IntegerField(
        default=500, min_value=1, max_value=MAX_IMAGES, help_text="that arrive (open)"
    )
    images = serializers.IntegerField(
        default=200, min_value=1, max_value=MAX_IMAGES, help_text="of the folder, or of each job that arrives"
    )
    load = serializers.FloatField(
        default=0.9,
        min_value=0.05,
        max_value=2.0,
        help_text="part of the nodes' capacity that arrivals ask for (open)",
    )
    sizes = serializers.ChoiceField(list(SIZES), default="uniform", help_text="how images differ in work")
    mean = serializers.FloatField(
        default=1.0, min_value=0.001, max_value=3600.0, help_text="seconds of an image on a node of speed 1"
    )
    cold = serializers.FloatField(
        default=0.0, min_value=0.0, max_value=600.0, help_text="seconds to load weights"
    )
    chunk = serializers.FloatField(
        default=0.0,
        min_value=0.0,
        max_value=60.0,
        help_text="seconds of work bound as one piece; 0: each image",
    )
    fault = serializers.ChoiceField(
        [NONE, DIES], default=NONE, help_text="dies: one node is away for the middle third"
    )
    policies = serializers.ListField(
        child=serializers.ChoiceField(registry.names()),
        required=False,
        help_text="all, unless some are named",
    )
    seeds = serializers.IntegerField(default=5, min_value=1, max_value=30, help_text="repetitions; 5 or more")
    alone = serializers.BooleanField(default=True, help_text="also the fastest and the slowest node alone")
    app = serializers.CharField(
        default="", max_length=60, allow_blank=True, help_text="of a real run: what is done to each image"
    )


def checked(data: Mapping[str, Any], *, real: bool = False) -> Config:
    """A configuration that can be run. 422 with what is wrong in which field."""
    form = ConfigSerializer(data=dict(data))
    if not form.is_valid():
        wrong = dict(texts_of(form.errors))
        if not real:
            wrong = nodes_wrong(data.get("nodes")) | wrong
        raise invalid("invalid", "This can't be compared. Nothing was started.", wrong)
    values = dict(form.validated_data)
    values["policies"] = tuple(dict.fromkeys(values.get("policies") or policy_names()))
    if values["arrivals"] == FOLDER:
        values["jobs"] = 1
    config = Config(**values)
    wrong = {} if real else nodes_wrong(config.nodes)
    wrong |= _size_wrong(config)
    if real and (foreign := [name for name in config.policies if name not in policy_names()]):
        wrong["policies"] = [f"{', '.join(foreign)} is not for this engine; leave it out"]
    if real and config.fault != NONE:
        wrong["fault"] = ["a real run kills no node; choose none"]
    if wrong:
        raise invalid("invalid", "This can't be compared. Nothing was started.", wrong)
    return config


def cell_count(config: Config) -> int:
    return config.seeds * (len(config.policies) + 2 * config.alone)


def nodes_wrong(text: Any, most: int = MAX_NODES) -> dict[str, list[str]]:
    """What is to be said about the nodes; nothing if they are missing or right."""
    try:
        if isinstance(text, str) and len(parse_nodes(text)) > most:
            return {"nodes": [f"at most {most} nodes here"]}
    except ValueError as error:
        return {"nodes": [str(error)]}
    return {}


def _size_wrong(config: Config) -> dict[str, list[str]]:
    if config.total_images > MAX_IMAGES:
        text = f"{config.total_images:,} images are more than the {MAX_IMAGES:,} of one trace; take fewer"
        return {"jobs" if config.arrivals == OPEN else "images": [text]}
    work = config.total_images * cell_count(config)
    if work > MAX_WORK:
        text = (
            f"{cell_count(config)} runs of {config.total_images:,} images are more than {MAX_WORK:,} in all; "
            "take fewer seeds, policies or images"
        )
        return {"seeds": [text]}
    return {}


def texts_of(errors: Mapping[str, Any]) -> Fields:
    """A serializer's errors as the envelope has them: those of a list's items under the list."""
    found: dict[str, list[str]] = {}
    for name, texts in errors.items():
        if isinstance(texts, Mapping):
            texts = [text for some in texts.values() for text in some]
        found[name] = [str(text) for text in texts]
    return found
