"""k8s/base/runtime: the preview servers' manifests, one file a family of the catalogue.

python -m apps.cluster.kube.manifests     writes them; a test fails while they are stale
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import yaml

from apps.cluster.kube import builders_runtime
from apps.cluster.kube.specs import Resources, RuntimeSpec

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "k8s" / "base" / "runtime"
CATALOG = ROOT / "model_images" / "catalog.json"
VERSION = "0.1.0"
_HEAD = """\
# Preview servers of the family {family}. Written by `python -m apps.cluster.kube.manifests`: change
# apps/cluster/kube/builders_runtime.py, or patch this in an overlay.
"""


def specs() -> list[RuntimeSpec]:
    """Of every family in the catalogue, by name."""
    entries = json.loads(CATALOG.read_text(encoding="utf-8"))["processors"]
    families = sorted({entry["package"] for entry in entries})
    return [_spec(family, [one for one in entries if one["package"] == family]) for family in families]


def objects(spec: RuntimeSpec) -> list[dict[str, Any]]:
    return [
        builders_runtime.deployment(spec),
        builders_runtime.service(spec),
        builders_runtime.autoscaler(spec),
        builders_runtime.disruption_budget(spec),
    ]


def files() -> dict[str, str]:
    """What each file of FOLDER holds, by its name."""
    made = {f"{spec.family}.yaml": _text(spec) for spec in specs()}
    listing = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": sorted(made),
    }
    return made | {"kustomization.yaml": yaml.safe_dump(listing, sort_keys=False)}


def main() -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in files().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        sys.stdout.write(f"{FOLDER / name} written\n")
    return 0


def _spec(family: str, entries: list[dict[str, Any]]) -> RuntimeSpec:
    options = [option for one in entries for option in one["params_schema"]["properties"].values()]
    weights = any(one["weights"] for one in entries)
    return RuntimeSpec(
        namespace="pixelyard-jobs",
        family=family,
        image=f"pixelyard/{family}:{VERSION}",
        claim="pixelyard-data",
        resources=Resources("1", "3Gi" if weights else "1536Mi"),
        needs_weights=weights,
        reads_drive=any(option.get("x-asset") == "folder" for option in options),
    )


def _text(spec: RuntimeSpec) -> str:
    made = yaml.safe_dump_all(objects(spec), sort_keys=False, width=110)
    return f"{_HEAD.format(family=spec.family)}{made}"


if __name__ == "__main__":
    sys.exit(main())
