"""A small benchmark, so that its page has something to show: computed here, in the background."""

from __future__ import annotations

from apps.accounts.models import User
from apps.benchmarks.services import runs

KEY = "demo"
CONFIG = {"nodes": "2:1", "images": 200, "sizes": "heavy", "seeds": 5}
TITLE = "A folder on two unequal nodes"


def seed(admin: User) -> None:
    """Queue it; a second time finds the first."""
    runs.start(admin, config=CONFIG, title=TITLE, key=KEY)
