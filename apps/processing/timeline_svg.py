"""Draws which node did what when, as an SVG made of plain data for a template.

Coordinates are in user units of the drawing: WIDTH across, ROW down for each worker.
"""

from __future__ import annotations

from dataclasses import dataclass

from apps.processing.queries import Timeline

WIDTH = 1000.0
ROW = 26.0
BAR = 18.0
AXIS = 22.0
LEAST = 0.8  # a segment is never thinner than can be seen
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400)
_TICKS = 8


@dataclass(frozen=True)
class Block:
    x: float
    width: float
    status: str
    title: str


@dataclass(frozen=True)
class Row:
    node: str
    worker: str
    y: float
    images: int
    blocks: list[Block]


@dataclass(frozen=True)
class Tick:
    x: float
    label: str

    @property
    def share(self) -> float:
        """Percent of the width."""
        return round(100 * self.x / WIDTH, 2)


@dataclass(frozen=True)
class Drawing:
    width: float
    height: float
    bar: float
    axis: float
    rows: list[Row]
    ticks: list[Tick]
    seconds: float
    busy: float  # share of all rows' time that was spent on photos, 0 to 1


def draw(timeline: Timeline) -> Drawing | None:
    """None when there is nothing to draw yet."""
    if not timeline.lanes:
        return None
    seconds = max(timeline.seconds, 1e-3)
    scale = WIDTH / seconds
    rows = []
    for index, lane in enumerate(timeline.lanes):
        blocks = [
            Block(
                x=round(part.start * scale, 2),
                width=round(max(LEAST, (part.end - part.start) * scale), 2),
                status=part.status,
                title=_title(part.name, part.images, part.start, part.end, part.status),
            )
            for part in lane.segments
        ]
        images = sum(part.images for part in lane.segments)
        rows.append(Row(lane.node, lane.worker, index * ROW, images, blocks))
    worked = sum(part.end - part.start for lane in timeline.lanes for part in lane.segments)
    return Drawing(
        width=WIDTH,
        height=len(rows) * ROW + AXIS,
        bar=BAR,
        axis=len(rows) * ROW,
        rows=rows,
        ticks=_ticks(seconds, scale),
        seconds=seconds,
        busy=min(1.0, worked / (seconds * len(rows))),
    )


def _title(name: str, images: int, start: float, end: float, status: str) -> str:
    what = name if images == 1 else f"{name} and {images - 1} more"
    failed = ", failed" if status == "failed" else ""
    return f"{what}{failed}: {start:.2f} s to {end:.2f} s"


def _ticks(seconds: float, scale: float) -> list[Tick]:
    step = next((step for step in _STEPS if seconds / step <= _TICKS), seconds / _TICKS)
    count = int(seconds / step + 1e-9)
    return [Tick(round(i * step * scale, 2), _label(i * step, step)) for i in range(count + 1)]


def _label(seconds: float, step: float) -> str:
    if step < 1:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"
