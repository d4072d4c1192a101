"""What the pages' forms send, as the configuration that services check; and the presets to begin with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict

from apps.benchmarks.config import DIES, FOLDER, NONE, OPEN, Config
from apps.benchmarks.models import BenchmarkRun
from apps.cluster.services.balancing import policy_names
from loadbalancer.workload import SIZES

_TEXTS = ("nodes", "slots", "arrivals", "jobs", "images", "load", "sizes", "mean", "cold", "chunk", "fault")
_MORE = ("seeds", "app")

ARRIVALS = ((FOLDER, "A folder, all at once"), (OPEN, "Jobs that come by and by"))
FAULTS = ((NONE, "None"), (DIES, "One node is away for a third of the time"))
SIZE_WORDS = {
    "equal": "All the same",
    "uniform": "Half to 1½",
    "exponential": "Exponential",
    "lognormal": "Lognormal",
    "heavy": "Heavy tail",
}


@dataclass(frozen=True)
class Preset:
    name: str
    title: str
    why: str
    config: dict[str, Any] = field(default_factory=dict)


PRESETS = (
    Preset(
        "original",
        "As the original",
        "Round robin and least connections against one node, on three equal ones with heavy-tailed images.",
        {"nodes": "1:1:1", "sizes": "heavy", "policies": ["round_robin", "least_connections", "pull"]},
    ),
    Preset("equal", "Two equal nodes", "Where every policy should do well.", {"nodes": "1:1"}),
    Preset("two-to-one", "2:1", "One node twice as fast as the other.", {"nodes": "2:1"}),
    Preset("four-two-one", "4:2:1", "Three nodes, each twice as fast as the next.", {"nodes": "4:2:1"}),
    Preset("slow", "One slow node", "Four nodes, one at a quarter of the speed.", {"nodes": "1:1:1:0.25"}),
    Preset(
        "dies", "One dies", "Three equal nodes, one away in the middle.", {"nodes": "1:1:1", "fault": DIES}
    ),
    Preset(
        "tail",
        "Heavy tail at load 0.9",
        "Single photos that arrive by and by, few of them very large: who keeps waiting short?",
        {"nodes": "1:1:1:1", "arrivals": OPEN, "jobs": 2000, "images": 1, "load": 0.9, "sizes": "heavy"},
    ),
)


def sizes() -> list[tuple[str, str]]:
    return [(name, SIZE_WORDS.get(name, name)) for name in SIZES]


def initial(query: QueryDict, earlier: BenchmarkRun | None = None) -> dict[str, Any]:
    """What the empty form shows: an earlier run's values, or a preset's, or the defaults."""
    preset = next((one for one in PRESETS if one.name == query.get("preset")), None)
    values = Config(policies=policy_names(), jobs=500).to_json()
    values |= earlier.config if earlier else preset.config if preset else {}
    kind = query.get("kind") or (earlier.kind if earlier else "simulated")
    values |= {"kind": kind, "title": "", "preset": preset.name if preset else ""}
    return values


def sent(data: QueryDict) -> dict[str, Any]:
    """What was typed, to show it again."""
    values: dict[str, Any] = {name: data.get(name, "") for name in (*_TEXTS, *_MORE, "title", "kind")}
    values["policies"] = data.getlist("policies")
    values["alone"] = data.get("alone") == "on"
    return values


def config_of(values: dict[str, Any]) -> dict[str, Any]:
    """For the service: only what a configuration has; fields that don't matter for these arrivals are left
    out, whatever stands in them."""
    unused = {"jobs", "load"} if values["arrivals"] == FOLDER else set()
    names = [name for name in (*_TEXTS, *_MORE) if name not in unused]
    config = {name: values[name] for name in names if values[name] != "" or name in {"images", "nodes"}}
    return config | {"alone": values["alone"], "policies": values["policies"]}
