"""Pages out of templates: every value is escaped, and a page may use the styles and scripts that it is given only."""

import base64
import hashlib
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

_ISOLATES = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Letters that change the direction of writing, by which a name can pose as another."""


def fill(template: str, filters: Mapping[str, Callable[..., Any]], content: Mapping[str, Any]) -> str:
    """Fill a Jinja template. A name that the content lacks is an error.

    Args:
        template: its text; it has the filter ``count``, which groups digits.
        filters: further ones.
        content: by name.
    """
    from jinja2 import DictLoader, Environment, StrictUndefined  # noqa: PLC0415 - only pages need it

    environment = Environment(
        loader=DictLoader({"page": template}),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=plain,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"count": lambda value: f"{value:,}", **filters}
    return environment.get_template("page").render(**content)


def allow(source: str) -> str:
    """What a content security policy calls a style or a script that stands in the page.

    >>> allow("")
    "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
    """
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"


def plain(value: Any) -> Any:
    r"""Show control characters and changes of writing direction as their codes, so that a name cannot pose as another.

    >>> print(plain("a\u202egpj.exe"))
    a\u202egpj.exe
    """
    if type(value) is not str or (value.isascii() and value.isprintable()):
        return value
    return "".join(
        letter.encode("unicode_escape").decode()
        if letter in _ISOLATES or (unicodedata.category(letter) == "Cc" and letter not in "\n\t")
        else letter
        for letter in value
    )
