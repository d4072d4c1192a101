"""Processors that only the cluster's tests use; their image holds this folder as `cluster_probes`."""
