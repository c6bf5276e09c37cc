# SPDX-License-Identifier: Apache-2.0
"""Checks a report against fuzz/overnight/report.schema.json.

Knows the few keywords of JSON Schema that the file uses. Any other keyword is an error, so that no
part of the schema is ignored.
"""

import functools
import json
import math
import pathlib
import re

PATH = pathlib.Path(__file__).parent.parent / "overnight" / "report.schema.json"

_NOTES = {"$schema", "title", "description"}


class Invalid(ValueError):
    """The message starts with the path of the wrong value, such as $.targets[0].execs."""


def _is_number(value):
    # JSON has no NaN and no infinity, and browsers refuse both.
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


_IS = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
    "number": _is_number,
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


def _short(value):
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _check_type(value, names, path):
    names = [names] if isinstance(names, str) else names
    if not any(_IS[name](value) for name in names):
        raise Invalid(f"{path}: {_short(value)} is not of type {' or '.join(names)}")


def _check_const(value, wanted, path):
    _check_enum(value, [wanted], path)


def _check_enum(value, choices, path):
    # In Python True equals 1; in JSON it does not.
    if not any(type(value) is type(choice) and value == choice for choice in choices):
        raise Invalid(f"{path}: {_short(value)} is none of {', '.join(map(repr, choices))}")


def _check_required(value, names, path):
    for name in names:
        if isinstance(value, dict) and name not in value:
            raise Invalid(f"{path}: {name!r} is missing")


def _check_properties(value, schemas, path):
    for name, schema in schemas.items():
        if isinstance(value, dict) and name in value:
            _check(value[name], schema, f"{path}.{name}")


def _check_values(value, schema, path):
    for name, item in value.items() if isinstance(value, dict) else ():
        _check(item, schema, f"{path}[{name!r}]")


def _check_names(value, schema, path):
    for name in value if isinstance(value, dict) else ():
        _check(name, schema, f"{path}, name {name!r}")


def _check_pattern(value, pattern, path):
    if not re.search(pattern, value):
        raise Invalid(f"{path}: {_short(value)} does not match {pattern}")


def _check_items(value, schema, path):
    for i, item in enumerate(value if isinstance(value, list) else ()):
        _check(item, schema, f"{path}[{i}]")


_WORDS = {
    "type": _check_type,
    "const": _check_const,
    "enum": _check_enum,
    "required": _check_required,
    "properties": _check_properties,
    "propertyNames": _check_names,
    "pattern": _check_pattern,
    "additionalProperties": _check_values,
    "items": _check_items,
}


def _check(value, schema, path):
    unknown = set(schema) - set(_WORDS) - _NOTES
    if unknown or {"properties", "additionalProperties"} <= set(schema):
        raise ValueError(f"{PATH}: at {path}: not known to this check: {sorted(unknown or schema)}")
    for word, check in _WORDS.items():
        if word in schema:
            check(value, schema[word], path)


@functools.lru_cache(maxsize=None)
def load():
    """Returns the schema."""
    return json.loads(PATH.read_text(encoding="utf-8"))


def check(report):
    """Raises Invalid at the first part of the report that the schema does not allow."""
    _check(report, load(), "$")
