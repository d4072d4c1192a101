from __future__ import annotations

from pathlib import Path

import pytest

from jobfolder import ChunkImage, JobSpec, create, job_dir, jobs_root, plan_chunks


def images(count: int) -> list[ChunkImage]:
    return [ChunkImage(f"image{n:03}", n, f"photo {n}.jpg", f"{n:064x}") for n in range(count)]


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def spec() -> JobSpec:
    return JobSpec("job1", "7", "blackwhite", "1", {"mode": "otsu"}, {"tiles": ["a" * 64]}, sample=["b" * 64])


@pytest.fixture
def folder(data_dir: Path, spec: JobSpec) -> Path:
    """A job of six photos in three chunks of two."""
    chunks = plan_chunks(images(6), 1.0, target_seconds=2.0)
    assert create(jobs_root(data_dir), spec, chunks)
    return job_dir(data_dir, spec.job)
