"""Pages to look at: each one self-contained, its policy allowing its own style and script by their hashes alone."""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from pathlib import Path

from starlette.responses import Response

_FOLDER = Path(__file__).parent


def page(name: str) -> Response:
    """Return the page made of ``<name>.html`` in ``frame.html``, ``<name>.css`` and ``<name>.js``, its parts first."""
    body, policy = _built(name)
    headers = {"Content-Security-Policy": policy, "Cache-Control": "no-cache"}
    return Response(body, media_type="text/html", headers=headers)


@lru_cache(maxsize=4)
def _built(name: str) -> tuple[str, str]:
    files = ("frame.html", f"{name}.css", f"{name}.html")
    frame, style, body = ((_FOLDER / file).read_text(encoding="utf-8") for file in files)
    script = "\n".join(path.read_text(encoding="utf-8") for path in sorted(_FOLDER.glob(f"{name}*.js")))
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return frame.replace("<!--page-->\n", body).replace("/*style*/", style).replace("/*script*/", script), policy


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
