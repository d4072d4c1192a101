"""The average that `peak_ewma` goes by: quick to rise, slow to fall."""

from __future__ import annotations

from math import exp

TAU = 10.0  # seconds after which an old value has lost all but 1/e of its part


def peak_ewma(value: float, sample: float, elapsed: float, tau: float = TAU) -> float:
    """The average after one more sample.

    Args:
        value: the average before; 0 when there is none yet.
        sample: seconds that the last piece of work took.
        elapsed: seconds since the sample before; the longer ago, the less `value` counts.
        tau: time constant in seconds.

    A sample above the average replaces it at once: a node that becomes slow is avoided from the first slow
    answer on. Below, the average falls by `1 - exp(-elapsed / tau)` of the way, so that one quick answer of
    a struggling node is not believed.

    Source: the Peak EWMA of Twitter's Finagle, also the default of Linkerd.
    """
    if value <= 0 or sample >= value:
        return max(0.0, sample)
    kept = exp(-max(0.0, elapsed) / tau)
    return value * kept + max(0.0, sample) * (1 - kept)
