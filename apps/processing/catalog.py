"""The apps a user can run, read from `model_images/catalog.json` without importing any processor.

app       what a user runs: a processor and its options' JSON Schema
asset     an option whose value is the id of one of the user's folders; frozen to its photos' hashes
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from django.conf import settings
from django.http import Http404
from jsonschema import Draft202012Validator

from apps.accounts.models import User
from apps.drive import access
from apps.drive.queries import live_images
from apps.processing.storable import is_storable
from apps.processing.wording import explain
from marketplace.api import ApiError, invalid

MAX_ASSETS = 5_000  # photos in a folder that an option names
_UNSTORABLE = "holds a character or a number that can't be stored"
CATALOG = Path("model_images") / "catalog.json"


@dataclass(frozen=True)
class App:
    id: str
    title: str
    summary: str
    kind: Literal["filter", "detection", "generation", "classification"]
    version: str
    outputs: tuple[str, ...]
    params_schema: dict[str, Any] = field(hash=False)
    seconds_per_megapixel: float = 0.02
    source: Literal["builtin", "own", "purchased"] = "builtin"
    price_per_image: int = 0

    @property
    def asset_options(self) -> list[str]:
        """Names of the options that take a folder of the user's."""
        properties = self.params_schema.get("properties", {})
        return [name for name, schema in properties.items() if schema.get("x-asset") == "folder"]


def apps_for(user: User) -> list[App]:
    """Every app this user may run, in the catalogue's order."""
    return list(_catalogue().values())


def app_for(user: User, app_id: str) -> App:
    """Http404 if there is no such app, or not for this user."""
    app = _catalogue().get(app_id)
    if app is None:
        raise Http404("There is no app with this id.")
    return app


def find(app_id: str) -> App | None:
    """An app whoever asks: for work that was accepted earlier."""
    return _catalogue().get(app_id)


def validate(app: App, params: Any) -> dict[str, Any]:
    """`params` with defaults filled in. ApiError 422 `invalid` with `fields` {option: [what is wrong]}."""
    if not isinstance(params, dict):
        raise invalid("invalid", "The options must be an object.", {"params": ["must be an object"]})
    fields = {name: [_UNSTORABLE] for name, value in params.items() if not is_storable([name, value])}
    if not fields:
        for error in Draft202012Validator(app.params_schema).iter_errors(params):
            for name, text in explain(error):
                fields.setdefault(name, []).append(text)
    if fields:
        raise invalid("invalid", f"Some options of {app.title} can't be accepted.", fields)
    properties = app.params_schema.get("properties", {})
    defaults = {name: schema["default"] for name, schema in properties.items() if "default" in schema}
    return {**defaults, **params}


def freeze_assets(user: User, app: App, params: dict[str, Any]) -> dict[str, list[str]]:
    """{option: sorted sha256 of the photos in the folder it names}, for options marked `x-asset: folder`.

    ApiError 422 `invalid` when a folder is not the user's, is empty, or holds more than MAX_ASSETS photos.
    """
    assets: dict[str, list[str]] = {}
    for name in app.asset_options:
        folder_id = params.get(name)
        if not folder_id:
            continue
        try:
            folder = access.folder_for(user, str(folder_id))
        except Http404:
            raise _bad_asset(name, "there is no folder with this id in your drive") from None
        hashes = sorted(set(live_images(folder).values_list("sha256", flat=True)[: MAX_ASSETS + 1]))
        if not hashes:
            raise _bad_asset(name, f"the folder “{folder.name}” holds no photos")
        if len(hashes) > MAX_ASSETS:
            raise _bad_asset(name, f"the folder “{folder.name}” holds more than {MAX_ASSETS:,} photos")
        assets[name] = hashes
    return assets


def _bad_asset(name: str, text: str) -> ApiError:
    return invalid("invalid", f"{name}: {text}.", {name: [text]})


_cache: tuple[Path, int, dict[str, App]] | None = None


def _catalogue() -> dict[str, App]:
    """Read again when the file has changed; a broken file is an error, never an empty list of apps."""
    global _cache
    path = settings.BASE_DIR / CATALOG
    modified = path.stat().st_mtime_ns
    if _cache is None or _cache[:2] != (path, modified):
        _cache = (path, modified, read(path))
    return _cache[2]


def read(path: Path) -> dict[str, App]:
    """The catalogue file: {"processors": [{name, title, summary, kind, version, outputs, params_schema,
    seconds_per_megapixel}]}."""
    apps = {}
    for entry in json.loads(path.read_text(encoding="utf-8"))["processors"]:
        if entry.get("weights"):  # an app only together with a listing's weights
            continue
        app = App(
            id=entry["name"],
            title=entry["title"],
            summary=entry["summary"],
            kind=entry["kind"],
            version=str(entry["version"]),
            outputs=tuple(entry["outputs"]),
            params_schema=entry["params_schema"],
            seconds_per_megapixel=float(entry["seconds_per_megapixel"]),
        )
        Draft202012Validator.check_schema(app.params_schema)
        apps[app.id] = app
    return apps
