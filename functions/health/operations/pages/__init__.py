"""Pages to look at: each one self-contained, its policy allowing its own style and script by their hashes alone.

The API reference is Swagger UI. `local.docs_page` puts its files into `vendor/` when the stack is built or served;
without them the page links to the document.
"""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from pathlib import Path

from studysync.web.conditional import StaticAnswer

_FOLDER = Path(__file__).parent


@lru_cache(maxsize=4)
def page(name: str) -> StaticAnswer:
    """Return the page made of ``<name>.html`` in ``frame.html``, ``<name>.css`` and ``<name>.js``, its parts first."""
    files = ("frame.html", f"{name}.css", f"{name}.html")
    frame, style, body = ((_FOLDER / file).read_text(encoding="utf-8") for file in files)
    script = "\n".join(path.read_text(encoding="utf-8") for path in sorted(_FOLDER.glob(f"{name}*.js")))
    if name == "docs":
        style, script = _vendor("swagger-ui.css") + style, _vendor("swagger-ui-bundle.js") + script
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    text = frame.replace("<!--page-->\n", body).replace("/*style*/", style).replace("/*script*/", script)
    headers = {"Content-Security-Policy": policy, "Cache-Control": "no-cache"}
    return StaticAnswer(text.encode(), "text/html; charset=utf-8", headers)


def _vendor(file: str) -> str:
    path = _FOLDER / "vendor" / file
    return path.read_text(encoding="utf-8") + "\n" if path.exists() else ""


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
