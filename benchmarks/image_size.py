"""What a runtime container holds: the installed tree that serving needs, from a fresh environment.

Installs the packages that `model_images.runtime serve` imports, and what they depend on, at the versions of
the lock; starts a server from it to see that nothing is missing; then counts the files. `python` is the
interpreter with its standard library, `code` our own packages. A container's base image adds its operating
system.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

import jobfolder

ROOT = Path(__file__).resolve().parents[1]
FILTERS = (
    "numpy", "opencv-python-headless", "simplejpeg", "pillow", "pydantic", "fastapi", "uvicorn",
    "python-multipart", "prometheus-client",
)  # fmt: skip
FAMILIES = {
    "filters": FILTERS,
    "yolov5": (*FILTERS, "onnxruntime"),
    "gan": (*FILTERS, "onnxruntime"),
    "classifier": (*FILTERS, "onnxruntime"),
}
ROUTES = {"filters": "blackwhite", "yolov5": "detect", "gan": "generate", "classifier": "classify"}
# Of the standard library: its tests, its static library for embedding (config-*), the editor. Slim images
# lack them.
NOT_FOR_SERVING = (
    "site-packages",
    "__pycache__",
    "test",
    "idlelib",
    Path(sysconfig.get_config_var("LIBPL")).name,
)
ORIGINAL_MB = 5140  # of the original's container image


def run(argv: Sequence[str]) -> dict[str, Any]:
    parser = argparse.ArgumentParser(prog="python -m benchmarks image_size")
    parser.add_argument("--quick", action="store_true", help="one family that has weights instead of three")
    options = parser.parse_args(argv)
    rows, known = [], {}
    for family, packages in FAMILIES.items():
        if options.quick and family in ("gan", "classifier"):
            continue
        if packages not in known:
            known[packages] = _measure(packages)
        sizes, routes = known[packages]
        if ROUTES[family] not in routes:
            raise RuntimeError(f"the server of {family} does not offer /{ROUTES[family]}")
        total = round(sum(sizes.values()), 1)
        rows.append(
            {"family": family, **sizes, "total_mb": total, "by_original": round(ORIGINAL_MB / total, 1)}
        )
    return {"rows": rows, "original_mb": ORIGINAL_MB}


def _measure(packages: Sequence[str]) -> tuple[dict[str, float], set[str]]:
    """Megabytes by part, and the routes that a server from these packages offers."""
    with tempfile.TemporaryDirectory(prefix="pixelyard-bench-") as folder:
        home = Path(folder)
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", home / "env"], check=True)
        (home / "wanted").write_text("\n".join(packages))
        uv = shutil.which("uv") or str(Path(sys.executable).parent / "uv")
        command = [uv, "pip", "install", "-q", "--python", home / "env/bin/python", "-r", home / "wanted"]
        subprocess.run([*command, "-c", ROOT / "requirements.lock"], check=True, cwd=ROOT)
        installed = Path(sysconfig.get_path("purelib", vars={"base": str(home / "env")}))
        for package in ("model_images", "jobfolder"):
            left_out = shutil.ignore_patterns("__pycache__", "converter", "stock", "samples")
            shutil.copytree(ROOT / package, home / "code" / package, ignore=left_out)
        routes = _routes(home)
        sizes = {
            "packages_mb": _megabytes(installed),
            "python_mb": _megabytes(Path(sysconfig.get_path("stdlib")), NOT_FOR_SERVING)
            + round(Path(sys.executable).resolve().stat().st_size / 1e6, 1),
            "code_mb": _megabytes(home / "code"),
        }
        return sizes, routes


def _routes(home: Path) -> set[str]:
    """Start the server that these packages make, and ask it."""
    data = home / "data"
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(home / "code")}
    command = [
        home / "env/bin/python",
        "-B",
        "-m",
        "model_images.runtime",
        "serve",
        "--data",
        data,
        "--node",
        "x",
    ]
    process = subprocess.Popen(command, env=env, cwd=home, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 60
        while not (beats := jobfolder.read_endpoints(data)):
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError("a server from the measured packages did not start")
            time.sleep(0.05)
        with httpx.Client(base_url=beats[0].url, trust_env=False, timeout=30) as client:
            client.get("/healthz").raise_for_status()
            return {path.strip("/") for path in client.get("/openapi.json").json()["paths"]}
    finally:
        process.terminate()
        process.wait(30)


def _megabytes(folder: Path, skip: Sequence[str] = ("__pycache__",)) -> float:
    files = (
        p for p in folder.rglob("*") if p.is_file() and not p.is_symlink() and not set(p.parts) & set(skip)
    )
    return round(sum(path.stat().st_size for path in files) / 1e6, 1)


def plot(report: dict[str, Any], axes: Any) -> None:
    names = [row["family"] for row in report["rows"]]
    axes.barh(names, [row["total_mb"] for row in report["rows"]])
    axes.set_xlabel(f"megabytes (the original: {report['original_mb']})")
    axes.invert_yaxis()
