"""A run as files: JSON, CSV, one HTML page that stands alone, each image's placement, and each figure."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from django.http import Http404

from apps.benchmarks import plots, queries, results
from apps.benchmarks.models import BenchmarkCell, BenchmarkRun
from loadbalancer.report import page


def settings_of(run: BenchmarkRun) -> dict[str, Any]:
    """What was compared, and how it was measured."""
    nodes = [
        {name: value for name, value in asdict(node).items() if name in {"name", "speed", "slots", "weight"}}
        for node in queries.nodes_of(run)
    ]
    said = {
        "kind": run.kind,
        "status": run.status,
        **run.config,
        "policies": ", ".join(run.config["policies"]),
    }
    return {name: value for name, value in said.items() if value != ""} | {"node_list": nodes}


def to_json(run: BenchmarkRun) -> str:
    """Settings, a row a policy, and each measurement by itself."""
    cells = queries.cells_of(run)
    data = page.to_data(results.table(run, cells), results.runs_of(run, cells), settings_of(run))
    about = {"id": run.pk, "title": run.title, "created": run.created.isoformat()}
    return json.dumps(about | data, indent=1, ensure_ascii=False) + "\n"


def to_csv(run: BenchmarkRun) -> str:
    """A line a policy."""
    return page.to_csv(results.table(run, queries.cells_of(run)))


def to_html(run: BenchmarkRun) -> str:
    """One page without scripts, fonts or pictures from elsewhere."""
    settings = settings_of(run)
    nodes = settings.pop("node_list")
    settings["speeds"] = ", ".join(f"{node['name']} {node['speed']:g}" for node in nodes[:24])
    rows = results.table(run, queries.cells_of(run))
    return page.to_html(run.title, rows, settings)


def to_images(run: BenchmarkRun) -> Iterator[str]:
    """A line an image of every cell whose images are kept: who did it, and when. Cell by cell."""
    writer = csv.writer(_Echo(), lineterminator="\n")
    yield writer.writerow(["scenario", "policy", "seed", *results.COLUMNS])
    cells = run.cells.filter(status=BenchmarkCell.Status.SUCCEEDED).exclude(records=None).order_by("position")
    for cell in cells.only("scenario", "policy", "seed", "records").iterator(chunk_size=4):
        for record in cell.records:
            yield writer.writerow([cell.scenario, cell.policy, cell.seed, *record])


def to_svg(run: BenchmarkRun, name: str) -> str:
    """A figure by its name. Http404 if there is none."""
    drawn = plots.plots_of(results.table(run, queries.cells_of(run)))
    for plot in drawn:
        if plot.name == name:
            return plot.svg + "\n"
    raise Http404("There is no such figure.")


def file_name(run: BenchmarkRun, ending: str) -> str:
    return f"{re.sub(r'[^a-z0-9.]+', '-', run.title.lower()).strip('-.')[:60] or 'benchmark'}{ending}"


class _Echo:
    """A file that hands back what is written to it."""

    def write(self, text: str) -> str:
        return text
