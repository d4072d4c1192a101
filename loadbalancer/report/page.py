"""The report as files: one HTML page that stands alone, a CSV, and JSON-ready data."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from html import escape
from io import StringIO
from typing import Any

from loadbalancer.report.charts import Bar, Mark, bars, interval, number
from loadbalancer.report.comparison import DIFFERENCES, ORIGINAL, Row, Run
from loadbalancer.report.statistics import Estimate
from loadbalancer.report.validation import COMPARED, Checked, order_kept

_COLUMNS = (
    ("makespan", "makespan, s"),
    ("over_bound", "÷ lower bound"),
    ("saved_fastest", "% less than the fastest alone"),
    ("saved_slowest", "% less than the slowest alone"),
    ("waiting_mean", "waiting: mean, s"),
    ("waiting_p50", "p50"),
    ("waiting_p95", "p95"),
    ("waiting_p99", "p99"),
    ("sojourn_mean", "sojourn: mean, s"),
    ("sojourn_p50", "p50"),
    ("sojourn_p95", "p95"),
    ("sojourn_p99", "p99"),
    ("jain", "Jain"),
    ("load_max_to_mean", "max ÷ mean load"),
    ("wasted", "wasted, s"),
    ("decision_us", "decision, µs"),
)

_STYLE = """
:root{color-scheme:light dark;--chart-bar:#3457d5;--chart-line:#b3261e;--chart-text:#1b1b1f;--edge:#d5d7de}
@media(prefers-color-scheme:dark){:root{--chart-bar:#8ea6ff;--chart-line:#ff8a80;
--chart-text:#ececf1;--edge:#44464f}}
body{font:16px/1.5 system-ui,sans-serif;max-width:76rem;margin:2rem auto;padding:0 1rem;
color:var(--chart-text)}
@media(prefers-color-scheme:dark){body{background:#16171c}}
svg{width:100%;min-width:36rem;max-width:45rem;height:auto;display:block;margin:1rem 0}
.settings{columns:18rem;padding-left:1.2rem}
.wide{overflow-x:auto}table{border-collapse:collapse;font-size:.85rem}
th,td{padding:.3rem .6rem;border-bottom:1px solid var(--edge);text-align:right;white-space:nowrap}
th:first-child,td:first-child{text-align:left}thead th{vertical-align:bottom;white-space:normal}
"""


def to_csv(rows: Sequence[Row]) -> str:
    """A line for each case and policy; empty where a case lacks a node or a measure."""
    flat = [row.flat() for row in rows]
    names = list(dict.fromkeys(name for one in flat for name in one))
    out = StringIO()
    writer = csv.DictWriter(out, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return out.getvalue()


def to_data(
    rows: Sequence[Row],
    runs: Sequence[Run],
    settings: Mapping[str, Any],
    validation: Sequence[Checked] = (),
) -> dict[str, Any]:
    """Everything, for JSON: the settings, a row for each case and policy, and each run by itself."""
    return {
        "validation": [asdict(line) for line in validation],
        "settings": dict(settings),
        "rows": [row.flat() for row in rows],
        "original": {policy: list(span) for policy, span in ORIGINAL.items()},
        "differences": list(DIFFERENCES),
        "runs": [
            {
                "case": run.case,
                "policy": run.policy,
                "seed": run.seed,
                "alone_fastest": run.alone_fastest,
                "alone_slowest": run.alone_slowest,
                **run.measures.as_dict(),
            }
            for run in runs
        ],
    }


def charts(case: str, rows: Sequence[Row]) -> dict[str, str]:
    """The charts of one case by name, as SVG."""
    bound = Mark(1.0, "no policy can be below")
    return {
        "makespan": bars(f"{case}: makespan ÷ lower bound", _bars(rows, "over_bound"), "×", bound),
        "sojourn": bars(f"{case}: 99 of 100 images are done within", _bars(rows, "sojourn_p99"), "s"),
    }


def to_html(
    title: str,
    rows: Sequence[Row],
    settings: Mapping[str, Any],
    validation: Sequence[Checked] = (),
    notes: Sequence[str] = (),
) -> str:
    """One page without scripts, fonts or pictures from elsewhere. `validation`: of real runs. `notes`: what
    one must know of these cases."""
    cases = list(dict.fromkeys(row.case for row in rows))
    said = "".join(f"<li>{escape(str(key))}: {escape(str(value))}</li>" for key, value in settings.items())
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>",
        f'<h1>{escape(title)}</h1><ul class="settings">{said}</ul>',
        "<p>Means over seeds; ± is half of a 95 % confidence interval (Student’s t).</p>",
        *(f"<p>{escape(note)}</p>" for note in notes),
    ]
    if any({"saved_fastest", "saved_slowest"} & set(row.estimates) for row in rows):
        parts += ["<h2>Beside the original</h2>", _original(rows)]
        parts += [f"<p>{escape(text)}</p>" for text in DIFFERENCES]
    if validation:
        parts += ["<h2>What the simulation had said</h2>", _validation(validation)]
    for case in cases:
        chosen = [row for row in rows if row.case == case]
        drawn = (f'<div class="wide">{svg}</div>' for svg in charts(case, chosen).values())
        parts += [f"<h2>{escape(case)}</h2>", *drawn, _table(chosen)]
    return "".join([*parts, "</body></html>\n"])


def _bars(rows: Sequence[Row], name: str) -> list[Bar]:
    found = [(row.policy, row.estimates[name]) for row in rows if name in row.estimates]
    return [Bar(policy, one.mean, one.half) for policy, one in sorted(found, key=lambda pair: pair[1].mean)]


def _table(rows: Sequence[Row]) -> str:
    columns = [pair for pair in _COLUMNS if any(pair[0] in row.estimates for row in rows)]
    nodes = list(rows[0].utilisation)[:12]
    heads = ["policy", *(text for _, text in columns), *(f"{node} busy" for node in nodes)]
    heads += ["not done", "done twice"]
    lines = [
        [
            row.policy,
            *(_said(row.estimates.get(name)) for name, _ in columns),
            *(f"{100 * row.utilisation[node]:.0f} %" for node in nodes),
            str(row.unfinished),
            str(row.repeated),
        ]
        for row in rows
    ]
    return _html_table(heads, lines)


def _original(rows: Sequence[Row]) -> str:
    lines = [
        [
            row.case,
            row.policy,
            f"{ORIGINAL[row.policy][0]:.0f}–{ORIGINAL[row.policy][1]:.0f} %",
            _said(row.estimates.get("saved_fastest")),
            _said(row.estimates.get("saved_slowest")),
        ]
        for row in rows
        if row.policy in ORIGINAL
    ]
    heads = ["case", "policy", "original", "% less than the fastest alone", "% less than the slowest alone"]
    return _html_table(heads, lines)


def _validation(lines: Sequence[Checked]) -> str:
    said = [
        "<p>The same traces, simulated with the speeds and the work that were measured before. The error is "
        "100 · (predicted ÷ real − 1), its mean over seeds; the size is the mean of its absolute values. "
        "Given: the same error, simulated with the speeds that the nodes had in the run itself. "
        "Order: of the pairs of policies that really differ by more than 5 %, how many come in the right "
        "order.</p>"
    ]
    heads = ["case", "policy", "measure", "predicted, s", "real, s", "error, %", "size, %", "given, %"]
    cells = [
        [
            line.case,
            line.policy,
            line.measure,
            number(line.predicted),
            number(line.real),
            f"{line.error:+.1f}",
            f"{line.spread:.1f}",
            "–" if line.given_error is None else f"{line.given_error:+.1f}",
        ]
        for line in lines
    ]
    said.append(_html_table(heads, cells))
    orders = [
        [case, measure, "{} of {}".format(*order_kept(lines, case, measure))]
        for case in dict.fromkeys(line.case for line in lines)
        for measure in COMPARED
    ]
    said.append(_html_table(["case", "measure", "order right"], orders))
    return "".join(said)


def _html_table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in line) + "</tr>" for line in lines)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _said(one: Estimate | None) -> str:
    if one is None:
        return "–"
    return number(one.mean) if one.half is None else interval(one.mean, one.half)
