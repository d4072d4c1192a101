"""The protocol of job folders: docs/architecture/02-job-folder.md. Standard library only.

The controller creates a folder, reads documents from it and deletes it; workers claim chunks and append
documents. Both import this package and nothing of each other.
"""

from __future__ import annotations

from jobfolder.chunks import (
    Claimed,
    add_chunks,
    claims,
    is_finished,
    pending,
    pending_count,
    plan_chunks,
    release,
)
from jobfolder.heartbeats import (
    EndpointHeartbeat,
    Heartbeat,
    NodeHeartbeat,
    read_endpoints,
    read_nodes,
    read_worker,
    read_workers,
    remove_endpoint,
    remove_node,
    write_endpoint,
    write_node,
    write_worker,
)
from jobfolder.layout import (
    BadJobFolder,
    Chunk,
    ChunkImage,
    JobSpec,
    Limits,
    clear_stop,
    create,
    delete,
    drive_path,
    job_dir,
    jobs_root,
    leave_requested,
    read_spec,
    request_leave,
    request_stop,
    stop_requested,
    sweep,
)
from jobfolder.results import output_file, tail_results

__all__ = [
    "BadJobFolder",
    "Chunk",
    "ChunkImage",
    "Claimed",
    "EndpointHeartbeat",
    "Heartbeat",
    "JobSpec",
    "Limits",
    "NodeHeartbeat",
    "add_chunks",
    "claims",
    "clear_stop",
    "create",
    "delete",
    "drive_path",
    "is_finished",
    "job_dir",
    "jobs_root",
    "leave_requested",
    "output_file",
    "pending",
    "pending_count",
    "plan_chunks",
    "read_endpoints",
    "read_nodes",
    "read_spec",
    "read_worker",
    "read_workers",
    "release",
    "remove_endpoint",
    "remove_node",
    "request_leave",
    "request_stop",
    "stop_requested",
    "sweep",
    "tail_results",
    "write_endpoint",
    "write_node",
    "write_worker",
]
