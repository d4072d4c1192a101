"""The apps a user can run, read from `model_images/catalog.json` without importing any processor.

app       what a user runs: a processor and its options' JSON Schema; built in, or made of weights
weights   a listing's current version, run by the processor of its family (see weights_apps)
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
from apps.catalog import queries
from apps.catalog.models import Listing
from apps.drive import access
from apps.drive.queries import live_images
from apps.processing.storable import is_storable
from apps.processing.weights_apps import make
from apps.processing.wording import explain
from marketplace.api import ApiError, conflict, invalid
from marketplace.ids import is_id

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
    processor: str = ""  # what a job names; empty: the app's id
    route: str = ""  # where a preview server answers for it; empty: the processor's name
    weights: str = ""  # sha256
    family: str = ""  # of a processor that needs weights: which ones
    package: str = ""  # where its code lies, which names the container image that has it: filters, yolov5, …
    classes: tuple[str, ...] = ()  # that the weights know, in their order

    @property
    def runs(self) -> str:
        """The processor's name."""
        return self.processor or self.id

    @property
    def path(self) -> str:
        """Below a preview server's address."""
        return self.route or self.runs

    @property
    def asset_options(self) -> list[str]:
        """Names of the options that take a folder of the user's."""
        properties = self.params_schema.get("properties", {})
        return [name for name, schema in properties.items() if schema.get("x-asset") == "folder"]


def apps_for(user: User) -> list[App]:
    """Every app this user may run: the built-in ones in the catalogue's order, then weights by title."""
    made = [weights_app(user, listing) for listing in queries.runnable_listings(user)]
    return [*built_in().values(), *(app for app in made if app)]


def app_for(user: User, app_id: str) -> App:
    """Http404 if there is no such app, or not for this user; 409 `taken_down` for weights that would be."""
    app = built_in().get(app_id)
    if app is None and is_id(app_id):
        listing = queries.runnable_listing(user, app_id)
        app = weights_app(user, listing) if listing else None
        if app is None:
            refuse_taken_down(app_id, user)
    if app is None:
        raise Http404("There is no app with this id.")
    return app


def refuse_taken_down(app_id: str, user: User | None = None) -> None:
    """409 `taken_down` with the staff's reason. `user`: only for who would be allowed to run it."""
    if is_id(app_id) and (reason := queries.taken_down(app_id, user)):
        raise conflict("taken_down", f"These weights were taken down and don't run any more: {reason}")


def find(app_id: str) -> App | None:
    """An app whoever asks: for work that was accepted earlier."""
    if app := built_in().get(app_id):
        return app
    listing = queries.listing_of_app(app_id) if is_id(app_id) else None
    return weights_app(None, listing) if listing else None


def weights_app(user: User | None, listing: Listing) -> App | None:
    """A listing as an app; None while no processor of this installation runs its family."""
    processor = next((one for one in _catalogue().values() if one.family == listing.family), None)
    return make(processor, listing, own=user is None or listing.seller_id == user.pk) if processor else None


def package_of(processor: str) -> str:
    """Where a processor's code lies; "" for one that is not in the catalogue any more."""
    app = _catalogue().get(processor)
    return app.package if app else ""


def packages() -> set[str]:
    """The families of processors: each has preview servers of its own where they run in containers."""
    return {app.package for app in _catalogue().values() if app.package}


def built_in() -> dict[str, App]:
    """The processors that are apps by themselves."""
    return {name: app for name, app in _catalogue().items() if not app.family}


def validate(app: App, params: Any) -> dict[str, Any]:
    """`params` with defaults filled in. ApiError 422 `invalid` with `fields` {option: [what is wrong]}."""
    if not isinstance(params, dict):
        raise invalid("invalid", "The options must be an object.", {"params": ["must be an object"]})
    fields = {name: [_UNSTORABLE] for name, value in params.items() if not is_storable([name, value])}
    if not fields:
        for error in _validator(app.params_schema).iter_errors(params):
            for name, text in explain(error):
                fields.setdefault(name, []).append(text)
    if fields:
        raise invalid("invalid", f"Some options of {app.title} can't be accepted.", fields)
    properties = app.params_schema.get("properties", {})
    defaults = {name: schema["default"] for name, schema in properties.items() if "default" in schema}
    return {**defaults, **params}


_validators: dict[int, tuple[dict[str, Any], Draft202012Validator]] = {}
_MOST_VALIDATORS = 64


def _validator(schema: dict[str, Any]) -> Draft202012Validator:
    """Made once for a schema of the catalogue: to make one costs more than to check with it. It is known by
    its identity, which holds because it is kept."""
    kept = _validators.get(id(schema))
    if kept is None or kept[0] is not schema:
        if len(_validators) >= _MOST_VALIDATORS:  # schemas of weights are made for each request
            _validators.clear()
        kept = _validators[id(schema)] = schema, Draft202012Validator(schema)
    return kept[1]


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
    seconds_per_megapixel, route, weights, family, package}]}. `weights`: it can't run without some, of
    `family`."""
    apps = {}
    for entry in json.loads(path.read_text(encoding="utf-8"))["processors"]:
        app = App(
            id=entry["name"],
            title=entry["title"],
            summary=entry["summary"],
            kind=entry["kind"],
            version=str(entry["version"]),
            outputs=tuple(entry["outputs"]),
            params_schema=entry["params_schema"],
            seconds_per_megapixel=float(entry["seconds_per_megapixel"]),
            processor=entry["name"],
            route=entry.get("route", ""),
            family=(entry.get("family") or entry["name"]) if entry.get("weights") else "",
            package=entry.get("package", ""),
        )
        Draft202012Validator.check_schema(app.params_schema)
        apps[app.id] = app
    return apps
