"""python -m benchmarks NAME [--quick] [args], or `all`.

A benchmark is a module in this package with `run(argv) -> dict` and, if it likes, `plot(report, axes)`. Its
report is written to benchmarks/results/NAME.json, with the machine and the time, and drawn to NAME.png;
`kept_as` in the report is another name for both.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import signal
import sys
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks._common import machine

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "results"


def names() -> list[str]:
    return sorted(m.name for m in pkgutil.iter_modules([str(FOLDER)]) if not m.name.startswith("_"))


def main(argv: Sequence[str]) -> int:
    if not argv or argv[0] not in [*names(), "all"]:
        print(f"{__doc__}\nNames: {', '.join(names())}", file=sys.stderr)
        return 2
    chosen = names() if argv[0] == "all" else [argv[0]]
    signal.signal(signal.SIGTERM, _end)
    failed = []
    for name in chosen:
        try:
            measure(name, argv[1:])
        except Exception:
            if len(chosen) == 1:
                raise
            traceback.print_exc()
            failed.append(name)
    if failed:
        print(f"failed: {', '.join(failed)}; the others' results are kept", file=sys.stderr)
    return 1 if failed else 0


def _end(number: int, frame: object) -> None:
    """Leave as Ctrl-C does: what a benchmark started ends with it. Once: the clean-up is not cut short."""
    signal.signal(number, signal.SIG_IGN)
    raise SystemExit(128 + number)


def measure(name: str, argv: Sequence[str]) -> None:
    """Run one benchmark; print its rows and keep its report."""
    module = importlib.import_module(f"benchmarks.{name}")
    report: dict[str, Any] = {
        "benchmark": name,
        "taken": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        **module.run(argv),
    }
    name = report.pop("kept_as", name)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    if hasattr(module, "plot"):
        _draw(module, report, RESULTS / f"{name}.png")
    print(f"{name}\n{table(report.get('rows', []))}\nkept in benchmarks/results/{name}.json")


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Rows as aligned text; a column for every key that holds a number or a text."""
    keys = list(dict.fromkeys(k for row in rows for k, v in row.items() if isinstance(v, (int, float, str))))
    lines = [keys, *([str(row.get(key, "")) for key in keys] for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(keys))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) for line in lines)


def _draw(module: Any, report: dict[str, Any], target: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(
        figsize=(9, 1.5 + 0.45 * len(report.get("rows", []))), layout="constrained"
    )
    module.plot(report, axes)
    figure.savefig(target, dpi=150)
    pyplot.close(figure)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
