"""Kubernetes objects: their names, how they are built, and one gateway to the API server."""
