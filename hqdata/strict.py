"""Plain tables (from TOML) to frozen dataclasses, strictly: an unknown key, a missing key or a wrong type is an error
that names the file, the key, and the nearest valid key.

The string ``"unknown"`` stands for None wherever a field may be None: what nobody has published stays visibly unknown.
"""

import difflib
import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from hqdata.errors import ManifestError, explain

T = TypeVar("T")
UNKNOWN = "unknown"


def nearest(word: str, known: list[str]) -> str:
    """End of a message: the known word that is nearest to a mistyped one, else the list of them.

    >>> nearest("mirors", ["mirrors", "size"])
    'did you mean "mirrors"?'
    """
    close = difflib.get_close_matches(word, known, n=1)
    return f'did you mean "{close[0]}"?' if close else "one of: " + ", ".join(sorted(known))


def load_strict(kind: type[T], table: Mapping[str, Any], where: str) -> T:
    """Build ``kind`` from a table.

    Args:
        kind: a dataclass, possibly of dataclasses, tuples, dicts, literals and plain values.
        table: what a TOML reader returned.
        where: file and key, for error messages.

    Raises:
        ManifestError: an unknown or missing key, or a value of another type.
    """
    hints = get_type_hints(kind)
    known: dict[str, Field[Any]] = {item.name: item for item in fields(kind)}  # type: ignore[arg-type]
    for key in table:
        if key not in known:
            raise ManifestError(explain(f'{where}: unknown key "{key}"', do=nearest(key, list(known))))
    values = {}
    for name, item in known.items():
        if name in table:
            values[name] = _convert(hints[name], table[name], f"{where}: {name}")
        elif item.default is MISSING and item.default_factory is MISSING:
            raise ManifestError(explain(f'{where}: missing key "{name}"', do=f'add "{name}"'))
    try:
        return kind(**values)
    except ManifestError as error:
        raise ManifestError(f"{where}: {error}") from error


def _convert(kind: Any, value: Any, where: str) -> Any:
    """Turn one value into the annotated type, or say what was expected."""
    origin, args = get_origin(kind), get_args(kind)
    if origin in {Union, types.UnionType}:
        if value == UNKNOWN:
            return None
        # Beside a number, a text is one of the words that stand for themselves, such as "all".
        words = [arg for arg in args if get_origin(arg) is Literal and isinstance(value, str)]
        return _convert([*words, *(arg for arg in args if arg is not types.NoneType)][0], value, where)
    if origin is Literal:
        if value not in args:
            raise ManifestError(explain(f"{where} has no such choice", expected=" | ".join(args), got=repr(value)))
        return value
    if origin is tuple:
        _expect(isinstance(value, list), "a list", value, where)
        return tuple(_convert(args[0], item, f"{where}[{index}]") for index, item in enumerate(value))
    if origin is dict:
        _expect(isinstance(value, dict), "a table", value, where)
        return {key: _convert(args[1], item, f"{where}.{key}") for key, item in value.items()}
    if is_dataclass(kind):
        _expect(isinstance(value, dict), "a table", value, where)
        return load_strict(kind, value, where)  # type: ignore[arg-type]
    _expect(type(value) is kind, kind.__name__, value, where)
    return value


def _expect(holds: bool, expected: str, got: object, where: str) -> None:
    if not holds:
        raise ManifestError(explain(f"{where} has the wrong type", expected=expected, got=repr(got)))
