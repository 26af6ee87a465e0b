"""Names that would run a script where a text is taken for markup."""

from __future__ import annotations

import random

# What runs where a text is taken for markup, or breaks out of where it stands.
PIECES = (
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<svg onload=alert(1)>",
    '"><script>alert(1)</script>', "' onmouseover='alert(1)", "</title><script>alert(1)</script>",
    "</script><script>alert(1)</script>", "<!--<script>", "]]><script>alert(1)</script>",
    "</style><script>alert(1)</script>", "javascript:alert(1)", "<a href=javascript:alert(1)>x</a>",
    "<iframe srcdoc='<script>parent.alert(1)</script>'>", "<body onload=alert(1)>",
    "\\u003cscript\\u003ealert(1)\\u003c/script\\u003e", "&lt;script&gt;alert(1)&lt;/script&gt;",
    "<meta http-equiv=refresh content='0;url=javascript:alert(1)'>", "{{7*7}}${alert(1)}",
    "\u2028</pre><script>alert(1)</script>", "\x00<script>alert(1)</script>", "\u202e<b>", "\udcff",
    "<details open ontoggle=alert(1)>", "<input autofocus onfocus=alert(1)>", "$\\alert{1}$",
)  # fmt: skip


def hostile(count: int) -> list[str]:
    """So many names, the same each time."""
    source = random.Random(0)
    return ["".join(source.choices(PIECES, k=source.randint(1, 3))) for _ in range(count)]
