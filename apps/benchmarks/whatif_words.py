"""An answer of the simulator in words and figures."""

from __future__ import annotations

from apps.benchmarks.config import OPEN
from apps.benchmarks.plots import Plot
from apps.benchmarks.services.whatif import GOALS, MAX_NODES, Answer
from loadbalancer.report.charts import Bar, Mark
from loadbalancer.report.figures import curve, ranked
from marketplace.templatetags.pixelyard import duration


def said(answer: Answer) -> list[str]:
    """Sentences: which policy, how far it is from the best and the worst, and how many nodes are enough."""
    return [_which(answer), *_others(answer), _many(answer)]


def _which(answer: Answer) -> str:
    asked, best = answer.question, answer.rows[0]
    value = best.estimates[asked.goal].mean
    if best.unfinished:
        return f"No policy finishes everything; {best.policy} leaves the least undone."
    text = f"Take {best.policy}: {GOALS[asked.goal]} in {duration(value)}."
    if asked.goal == "makespan":
        over = value / answer.bound
        text += f" No policy can do it in less than {duration(answer.bound)}; this is {over:.2f} times that."
    return text


def _others(answer: Answer) -> list[str]:
    asked, best, worst = answer.question, answer.rows[0], answer.rows[-1]
    value, most = (row.estimates[asked.goal].mean for row in (best, worst))
    if not value or most / value < 1.02:
        return ["Which policy it is makes hardly any difference here."]
    near = [row.policy for row in answer.rows[1:] if row.estimates[asked.goal].mean <= 1.02 * value]
    text = (
        f"{worst.policy} takes {most / value:.1f} times as long"
        if most >= 1.1 * value
        else (f"{worst.policy} takes {100 * (most / value - 1):.0f} % longer")
    )
    return [f"{text}; within 2 % of the best: {', '.join(near)}." if near else f"{text}."]


def _many(answer: Answer) -> str:
    asked = answer.question
    wanted = f"For {asked.minutes:g} min"
    kind = f"of speed {asked.speed:g}" + (f" with {asked.slots} slots" if asked.slots > 1 else "")
    if answer.enough is None:
        text = f"{wanted}, not even {MAX_NODES} nodes {kind} are enough."
        late = asked.arrivals == OPEN and asked.goal == "makespan"
        return f"{text} Work that comes by and by can't be done before it is there." if late else text
    count = "1 node" if answer.enough == 1 else f"{answer.enough} nodes"
    verb = "is" if answer.enough == 1 else "are"
    return f"{wanted}, {count} {kind} {verb} enough under {answer.policy}: {duration(answer.enough_seconds)}."


def whatif_plots(answer: Answer) -> list[Plot]:
    asked = answer.question
    bars = [
        Bar(row.policy, row.estimates[asked.goal].mean, row.estimates[asked.goal].half) for row in answer.rows
    ]
    title = f"Until {GOALS[asked.goal]}"
    mark = Mark(answer.bound, "no policy can be below") if asked.goal == "makespan" else None
    plots = [Plot("policies", title, "", ranked(title, bars, "s", mark=mark, best=answer.policy))]
    if len(answer.curve) > 1:
        goal = Mark(60 * asked.minutes, f"{asked.minutes:g} min")
        title = f"Seconds by number of nodes, {answer.policy}"
        svg = curve(title, answer.curve, across=f"nodes of speed {asked.speed:g}", unit="s", goal=goal)
        plots.append(Plot("nodes", "How many nodes", "Seconds, by the number of nodes.", svg))
    return plots
