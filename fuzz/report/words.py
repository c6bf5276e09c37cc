# SPDX-License-Identifier: Apache-2.0
"""Formats numbers, times and hostile text for the page."""

import datetime
import re

# Control bytes, direction marks and invisible spaces would change how other text is shown.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)
_SURROGATE = re.compile("[\ud800-\udfff]")
NOT_MEASURED = "–"


def _spelled(match):
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def _shortened(text, most):
    if most is None or len(text) <= most:
        return text
    left_out = f"\n... {len(text) - most:,} characters are left out here; report.json has all ...\n"
    return text[: most - most // 4] + left_out + text[-(most // 4) :]


def visible(value, most=None):
    """Returns the value with all its text valid, and invisible characters spelled out.

    Texts longer than `most` lose their middle.
    """
    if isinstance(value, str):
        text = _SURROGATE.sub("\ufffd", _shortened(value, most).replace("\r\n", "\n"))
        return _UNSEEN.sub(_spelled, text)
    if isinstance(value, list):
        return [visible(item, most) for item in value]
    if isinstance(value, dict):
        return {visible(key, most): visible(item, most) for key, item in value.items()}
    return value


def number(value):
    """1234567 as 1,234,567. Only numbers below 10 keep a fraction."""
    if value is None:
        return NOT_MEASURED
    if isinstance(value, float) and abs(value) < 10 and value != int(value):
        return f"{value:,.1f}"
    return f"{value:,.0f}"


def signed(value):
    """A change: +12, −3, or ±0."""
    if value is None:
        return NOT_MEASURED
    return "±0" if value == 0 else f"{'+' if value > 0 else '−'}{number(abs(value))}"


def percent(part, whole):
    """A share. It is 100 % only if nothing is missing, and 0 % only if there is nothing."""
    if part is None or not whole:
        return NOT_MEASURED
    share = 100 * part / whole
    if part < whole:
        share = min(share, 99.9)
    if part > 0:
        share = max(share, 0.1)
    return f"{share:.1f} %"


def duration(seconds):
    """28830 as 8 h 0 min: the two largest units."""
    if seconds is None:
        return NOT_MEASURED
    if seconds < 60:
        return f"{number(round(seconds, 1))} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    minutes = round(seconds / 60)
    if minutes < 24 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    hours = round(seconds / 3600)
    return f"{hours // 24} d {hours % 24} h"


def megabytes(value):
    """In GB from 1000 MB on, as disks are sold."""
    if value is None:
        return NOT_MEASURED
    return f"{value / 1000:,.1f} GB" if value >= 1000 else f"{number(value)} MB"


def moment(text):
    """An ISO 8601 time, or a night's id, to the minute. Other text is unchanged."""
    try:
        return datetime.datetime.strptime(text, "%Y%m%d-%H%M%S").strftime("%Y-%m-%d %H:%M")
    except ValueError:
        pass
    try:
        # Before 3.11, Python does not know Z.
        parsed = datetime.datetime.fromisoformat(re.sub("Z$", "+00:00", text))
    except ValueError:
        return text
    zone = parsed.strftime("%z")
    return parsed.strftime("%Y-%m-%d %H:%M") + (f" {zone[:3]}:{zone[3:5]}" if zone else "")


def ranges(lines, code):
    """[1, 2, 4, 7] as 1–4, 7: lines without code, here 3, do not break a range."""
    place = {line: i for i, line in enumerate(sorted({*lines, *code}))}
    runs = []
    for line in sorted(set(lines)):
        if runs and place[line] == place[runs[-1][1]] + 1:
            runs[-1][1] = line
        else:
            runs.append([line, line])
    return ", ".join(str(a) if a == b else f"{a}–{b}" for a, b in runs)


def label(key):
    """unit_timeout_s as unit timeout: the value has the unit."""
    return re.sub("_(mb|s)$", "", key).replace("_", " ")


def measured(key, value):
    """A value whose unit is the ending of its key."""
    if isinstance(value, bool) or not isinstance(value, (int, float, type(None))):
        return str(value)
    if key.endswith("_mb"):
        return megabytes(value)
    return duration(value) if key.endswith("_s") else number(value)
