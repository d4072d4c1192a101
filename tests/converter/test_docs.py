"""Every reason for a refusal is in the chapter about weights."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CODE = re.compile(r'(?:Rejected|_rejected)\(\s*"([a-z_]+)"|"code": "([a-z_]+)"')


def test_every_code_is_explained():
    chapter = (ROOT / "docs/weights.md").read_text()
    sources = [path.read_text() for path in (ROOT / "model_images/converter").rglob("*.py")]
    codes = {code for text in sources for match in CODE.findall(text) for code in match if code}

    assert len(codes) > 30
    assert sorted(code for code in codes if f"`{code}`" not in chapter) == []
