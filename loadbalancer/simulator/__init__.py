"""A cluster in a discrete-event simulation, under the very policies that the platform uses."""

from __future__ import annotations

from loadbalancer.simulator.simulation import simulate

__all__ = ["simulate"]
