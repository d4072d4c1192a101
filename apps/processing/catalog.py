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

from apps.accounts.models import User


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


def apps_for(user: User) -> list[App]:
    """Every app this user may run, in the catalogue's order."""
    return list(_catalogue().values())


def app_for(user: User, app_id: str) -> App:
    """Http404 if there is no such app, or not for this user."""
    app = _catalogue().get(app_id)
    if app is None:
        raise Http404("There is no app with this id.")
    return app


def validate(app: App, params: Any) -> dict[str, Any]:
    """`params` with defaults filled in. ApiError 422 `invalid` with `fields` {option: [what is wrong]}."""
    raise NotImplementedError


def freeze_assets(user: User, app: App, params: dict[str, Any]) -> dict[str, list[str]]:
    """{option: sorted sha256 of the photos in the folder it names}, for options marked `x-asset: folder`."""
    raise NotImplementedError


def _catalogue() -> dict[str, App]:
    raise NotImplementedError
