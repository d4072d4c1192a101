"""Each filter from file to file, against ImageMagick, libvips, libjpeg-turbo's tools, jp2a and chafa.

Ours is measured twice: `warm`, in a process that has done it before, as a node's worker does; and `cold`, the
whole `python -m model_images.runtime batch` on a job folder, from the start of Python to its end. Ours uses
one thread; the peers are whole processes and may use every core. For 100 photos a peer gets them all in one
process where it can take many. `floor` is decoding at the size needed and encoding the result, without a
filter, warm. Where the peers make text alone, ours does too (`only`), but for `cold`, which makes all that a
job keeps. Peers that are not installed are left out, and the report says so.
"""

from __future__ import annotations

import argparse
import hashlib
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from model_images.runtime import threads  # isort: skip - first: it sets what NumPy and OpenCV read

import cv2
import numpy as np
import simplejpeg
from skimage import data

import jobfolder
from benchmarks._common import interleaved, median_ms, ratio
from model_images.runtime.contract import Context, Processor
from model_images.runtime.imageio import SUFFIXES, encode, open_source
from model_images.runtime.registry import processors
from model_images.runtime.work import load_params

assert threads
LARGE, SMALL = (4000, 3000), (1152, 864)
_OWNER = "1"


@dataclass(frozen=True)
class Case:
    """A filter with options.

    `peers` are shell commands for one file: {i} the input, {o} the output without its suffix, {t} a temporary
    name, {w8}, {h8}, {w16}, {h16} the photo's sides divided. `many` are the same for all files in one
    process: {i} the files, {o} a folder. `reduced` and `gray` say what the floor decodes.
    """

    name: str
    app: str
    params: Mapping[str, Any]
    peers: Mapping[str, str]
    many: Mapping[str, str] = field(default_factory=dict)
    reduced: int = 1
    gray: bool = False
    only: str | None = None  # the one output that ours makes; None: all it can, as a job does


# The peers make one file of text or HTML; ours makes that and, in a row of its own, all that a job keeps.
_ASCII = {
    "jp2a": "jp2a --width=120 {i} --output={o}.txt",
    "chafa": "chafa --symbols ascii -c none -s 120 {i} > {o}.txt",
}
_ASCII_MANY = {
    "jp2a": "jp2a --width=120 {i} > {o}/all.txt",
    "chafa": "chafa --symbols ascii -c none -s 120 {i} > {o}/all.txt",
}
_IN_COLOUR = {"columns": 120, "color": "foreground"}
_COLOURED = {
    "jp2a": "jp2a --width=120 --colors --html {i} --output={o}.html",
    "chafa": "chafa --symbols ascii -c full -s 120 {i} > {o}.txt",
}
_COLOURED_MANY = {
    "jp2a": "jp2a --width=120 --colors --html {i} > {o}/all.html",
    "chafa": "chafa --symbols ascii -c full -s 120 {i} > {o}/all.txt",
}

IM, MOGRIFY = "convert-im6.q16", "mogrify-im6.q16"
CASES = (
    Case(
        "black & white",
        "blackwhite",
        {},
        {
            "ImageMagick": f"{IM} {{i}} -colorspace Gray -quality 90 {{o}}.jpg",
            "libvips": "vips colourspace {i} {o}.jpg[Q=90] b-w",
            "djpeg | cjpeg": "djpeg -grayscale {i} | cjpeg -quality 90 > {o}.jpg",
            "jpegtran": "jpegtran -grayscale -copy none -outfile {o}.jpg {i}",
        },
        {"ImageMagick": f"{MOGRIFY} -path {{o}} -colorspace Gray -quality 90 {{i}}"},
        gray=True,
    ),
    Case(
        "black & white, dithered",
        "blackwhite",
        {"mode": "dither"},
        {
            "ImageMagick": f"{IM} {{i}} -colorspace Gray -dither FloydSteinberg -monochrome {{o}}.png",
            "djpeg | ImageMagick": f"djpeg -grayscale {{i}} | {IM} pgm:- -monochrome {{o}}.png",
        },
        {"ImageMagick": f"{MOGRIFY} -path {{o}} -format png -colorspace Gray -monochrome {{i}}"},
        gray=True,
    ),
    Case(
        "pixel art, 8 px, 16 colours",
        "pixelart",
        {"block_size": 8, "palette_size": 16},
        {
            "ImageMagick": f"{IM} {{i}} -scale 12.5% +dither -colors 16 -scale 800% {{o}}.png",
            "ImageMagick, reduced": f"{IM} -define jpeg:size={{w8}}x{{h8}} {{i}} -scale {{w8}}x{{h8}}!"
            " +dither -colors 16 -scale 800% {o}.png",
            "libvips": "vips thumbnail {i} {t}.png[palette,bitdepth=4,dither=0] {w8} --height {h8}"
            " --size force && vips zoom {t}.png {o}.png 8 8",
        },
        {
            "ImageMagick": f"{MOGRIFY} -path {{o}} -format png -scale 12.5% +dither"
            " -colors 16 -scale 800% {i}"
        },
        reduced=8,
    ),
    Case(
        "mosaic of blocks, 16 px",
        "mosaic",
        {"style": "blocks", "columns": "w/16"},
        {
            "ImageMagick": f"{IM} {{i}} -scale 6.25% -scale 1600% -quality 90 {{o}}.jpg",
            "ImageMagick, reduced": f"{IM} -define jpeg:size={{w8}}x{{h8}} {{i}} -scale {{w16}}x{{h16}}!"
            " -scale 1600% -quality 90 {o}.jpg",
            "libvips": "vips thumbnail {i} {t}.v {w16} --height {h16} --size force"
            " && vips zoom {t}.v {o}.jpg[Q=90] 16 16",
        },
        {"ImageMagick": f"{MOGRIFY} -path {{o}} -scale 6.25% -scale 1600% -quality 90 {{i}}"},
        reduced=4,
    ),
    Case("photomosaic, 100 × 75 tiles of 32 px", "mosaic", {}, {}, reduced=8),
    *(
        Case(name, "ascii", {"columns": 120}, _ASCII, _ASCII_MANY, reduced=8, gray=True, only=only)
        for name, only in (("ASCII, 120 columns: text", "text"), ("ASCII: text, page and picture", None))
    ),
    *(
        Case(name, "ascii", _IN_COLOUR, _COLOURED, _COLOURED_MANY, reduced=8, only=only)
        for name, only in (("ASCII in colour: page", "html"), ("ASCII in colour: text, page, picture", None))
    ),
)


def photo(number: int, width: int, height: int) -> bytes:
    """A JPEG (quality 90, 4:2:0) like a camera's: a real photograph, enlarged, with the noise of a sensor."""
    rng = np.random.default_rng(number)
    base = (data.astronaut, data.coffee, data.chelsea, data.rocket)[number % 4]()
    if number // 4 % 2:
        base = np.ascontiguousarray(base[:, ::-1])
    image = cv2.resize(base, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    grain = cv2.GaussianBlur(rng.normal(0, 14, (height, width)).astype(np.float32), (0, 0), 0.8)
    pixels = np.clip(image + grain[..., None], 0, 255).astype(np.uint8)
    return simplejpeg.encode_jpeg(pixels, quality=90, colorspace="RGB", colorsubsampling="420")


class Bench:
    """One case on one list of files, all of one size."""

    def __init__(self, case: Case, files: Sequence[Path], size: tuple[int, int], root: Path) -> None:
        self.case, self.files, self.size = case, files, size
        self.params = {k: size[0] // 16 if v == "w/16" else v for k, v in case.params.items()}
        self.out = root / "out"
        self.out.mkdir(exist_ok=True)
        self.root = root

    def contenders(self) -> tuple[dict[str, Callable[[], object]], list[str]]:
        """What can be measured here, and what is missing."""
        found: dict[str, Callable[[], object]] = {"warm": self.warm, "cold": self.cold, "floor": self.floor()}
        missing = []
        for name, command in self.case.peers.items():
            tools = [part.split()[0] for part in command.replace("&&", "|").split("|")]
            if absent := [tool for tool in tools if not shutil.which(tool)]:
                missing.append(f"{name} ({', '.join(absent)})")
                continue
            many = self.case.many.get(name)
            found[name] = partial(self.shell, many or command, bool(many))
        return found, missing

    def warm(self) -> None:
        """Ours, in this process."""
        processor = processors()[self.case.app]
        params = load_params(processor, self.params)
        for file in self.files:
            _process(processor, params, Context(only=self.case.only), file, self.out)

    def cold(self) -> None:
        """Ours, as a whole process on a job folder, with all that a worker does."""
        data_dir = self.root / "data"
        jobs = jobfolder.jobs_root(data_dir)
        shutil.rmtree(jobs, ignore_errors=True)
        images = []
        for number, file in enumerate(self.files):
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            target = jobfolder.drive_path(data_dir, _OWNER, digest)
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, target)
            images.append(jobfolder.ChunkImage(f"i{number}", number, file.name, digest))
        chunks = [jobfolder.Chunk(f"1-{n:04}", tuple(images[n : n + 20])) for n in range(0, len(images), 20)]
        version = processors()[self.case.app].version
        spec = jobfolder.JobSpec("bench", _OWNER, self.case.app, version, dict(self.params))
        jobfolder.create(jobs, spec, chunks)
        command = ["-m", "model_images.runtime", "batch", "--job", str(jobs / "bench"), "--worker", "w1"]
        subprocess.run([sys.executable, *command], check=True, capture_output=True)
        done = list((jobs / "bench" / "output").iterdir())
        assert len(done) >= len(self.files), f"{len(done)} results of {len(self.files)} photos"

    def floor(self) -> Callable[[], None]:
        """Decode what is needed and encode the result, with nothing between."""
        processor = processors()[self.case.app]
        params = load_params(processor, self.params)
        pictures: list[tuple[Any, str] | None] = [None] * len(self.files)
        if self.case.only in (None, "image"):
            pictures = [self._picture(processor, params, file) for file in self.files]
        width, height = (-(-side // self.case.reduced) for side in self.size)

        def run() -> None:
            for file, picture in zip(self.files, pictures, strict=True):
                source = open_source(file.read_bytes())
                least = (width, height) if self.case.reduced > 1 else (0, 0)
                (source.gray if self.case.gray else source.rgb)(*least)
                if picture:
                    image, kind = picture
                    options = [cv2.IMWRITE_JPEG_QUALITY, 90] if kind == "image/jpeg" else []
                    data = cv2.imencode(SUFFIXES[kind], image, options)[1].tobytes()
                    (self.out / (file.stem + SUFFIXES[kind])).write_bytes(data)

        return run

    @staticmethod
    def _picture(processor: Processor[Any], params: Any, file: Path) -> tuple[Any, str]:
        """The result's pixels, and the kind of file that they are kept as."""
        result = processor.process(open_source(file.read_bytes()), params, Context())
        encoded = encode(result.image, prefer=result.prefer)
        return cv2.imdecode(np.frombuffer(encoded.data, np.uint8), cv2.IMREAD_UNCHANGED), encoded.media_type

    def shell(self, command: str, all_at_once: bool) -> None:
        width, height = self.size
        sizes = {
            "w": width,
            "h": height,
            "w8": width // 8,
            "h8": height // 8,
            "w16": width // 16,
            "h16": height // 16,
        }
        if all_at_once:
            lines = [command.format(i=shlex.join(map(str, self.files)), o=self.out, **sizes)]
        else:
            lines = [
                command.format(i=file, o=self.out / file.stem, t=self.out / f"{file.stem}-t", **sizes)
                for file in self.files
            ]
        subprocess.run(["sh", "-ec", "\n".join(lines)], check=True, capture_output=True)


def _process(processor: Processor[Any], params: Any, context: Context, file: Path, out: Path) -> None:
    result = processor.process(open_source(file.read_bytes()), params, context)
    if result.image is not None:
        image = encode(result.image, params.format, params.quality, result.prefer)
        (out / (file.stem + SUFFIXES[image.media_type])).write_bytes(image.data)
    if result.text is not None:
        (out / f"{file.stem}.txt").write_text(result.text)
    if result.html is not None:
        (out / f"{file.stem}.html").write_text(result.html)


def run(argv: Sequence[str]) -> dict[str, Any]:
    parser = argparse.ArgumentParser(prog="python -m benchmarks filters")
    parser.add_argument("--quick", action="store_true", help="fewer photos and rounds")
    parser.add_argument("--only", default="", help="only cases whose name contains this")
    options = parser.parse_args(argv)
    count, rounds = (10, (3, 2)) if options.quick else (100, (9, 3))
    rows: list[dict[str, Any]] = []
    absent: set[str] = set()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "in").mkdir()
        large = [_stored(root / "in" / "large.jpg", photo(0, *LARGE))]
        small = [_stored(root / "in" / f"small-{n:03}.jpg", photo(n, *SMALL)) for n in range(count)]
        for case in CASES:
            if options.only not in case.name:
                continue
            for files, size, times in ((large, LARGE, rounds[0]), (small, SMALL, rounds[1])):
                bench = Bench(case, files, size, root)
                contenders, missing = bench.contenders()
                absent.update(missing)
                seconds = interleaved(contenders, times)
                megapixels = size[0] * size[1] * len(files) / 1e6
                rows.append(_row(case.name, f"{len(files)} × {megapixels / len(files):.0f} MP", seconds))
                print(rows[-1], flush=True)  # the whole takes long; what is done is not lost
    return {"rows": rows, "photos": count, "rounds": rounds, "missing": sorted(absent)}


def _stored(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _row(case: str, photos: str, seconds: Mapping[str, list[float]]) -> dict[str, Any]:
    """Times in ms, and how many times as long as ours each peer takes: `ahead` for the fastest of them."""
    peers = [name for name in seconds if name not in ("warm", "cold", "floor")]
    best = min(peers, key=lambda name: median_ms(seconds[name]), default="")
    return {
        "case": case,
        "photos": photos,
        "warm_ms": median_ms(seconds["warm"]),
        "cold_ms": median_ms(seconds["cold"]),
        "floor_ms": median_ms(seconds["floor"]),
        "warm_by_floor": ratio(seconds["warm"], seconds["floor"]),
        "fastest_peer": best,
        "peer_ms": median_ms(seconds[best]) if best else "",
        "ahead_warm": ratio(seconds[best], seconds["warm"]) if best else "",
        "ahead_cold": ratio(seconds[best], seconds["cold"]) if best else "",
        "peers_ms": {name: median_ms(seconds[name]) for name in peers},
        "ahead_of": {name: ratio(seconds[name], seconds["warm"]) for name in peers},
    }


def plot(report: dict[str, Any], axes: Any) -> None:
    """How many times as long as ours each contender takes; 1 is ours, warm."""
    labels = [f"{row['case']}\n{row['photos']}" for row in report["rows"]]
    names = list(dict.fromkeys(name for row in report["rows"] for name in row["ahead_of"]))
    for name in names:
        points = [
            (row["ahead_of"][name], i) for i, row in enumerate(report["rows"]) if name in row["ahead_of"]
        ]
        axes.scatter([x for x, _ in points], [y for _, y in points], label=name, zorder=3)
    floor = [1 / row["warm_by_floor"] for row in report["rows"]]
    axes.scatter(
        floor, range(len(labels)), marker="|", s=160, color="black", label="decode + encode alone", zorder=3
    )
    axes.axvline(1, color="tab:orange", label="ours, warm")
    axes.set_xscale("log")
    axes.set_xticks([0.5, 1, 2, 3, 5, 10, 20], ["0.5", "1", "2", "3", "5", "10", "20"])
    axes.set_yticks(range(len(labels)), labels, fontsize=7)
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)
    axes.set_xlabel("times as long as ours (file to file; further right is slower)")
    axes.legend(fontsize=7)
