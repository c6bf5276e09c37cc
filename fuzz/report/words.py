# SPDX-License-Identifier: Apache-2.0
"""How numbers, times and hostile text are written on the page."""

import datetime
import re

# Control bytes, direction marks and invisible spaces, which would change how the rest is shown.
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
    left_out = f"\n... {len(text) - most:,} characters are left out here, not in report.json ...\n"
    return text[: most - most // 4] + left_out + text[-(most // 4) :]


def visible(value, most=None):
    """Returns the value, all text in it valid and spelled out where it could not be seen.

    With `most`, longer texts lose their middle.
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
    """1234567 as 1,234,567; fractions only where they are most of the number."""
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
    """Never says 100 % of what is not whole, nor 0 % of what is not nothing."""
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
    """In GB from a thousand on, as disks are sold."""
    if value is None:
        return NOT_MEASURED
    return f"{value / 1000:,.1f} GB" if value >= 1000 else f"{number(value)} MB"


def moment(text):
    """An ISO 8601 time, or a night's id, to the minute; what is neither stays as it is."""
    try:
        return datetime.datetime.strptime(text, "%Y%m%d-%H%M%S").strftime("%Y-%m-%d %H:%M")
    except ValueError:
        pass
    try:
        # Before Python 3.11, Z is not understood.
        parsed = datetime.datetime.fromisoformat(re.sub("Z$", "+00:00", text))
    except ValueError:
        return text
    zone = parsed.strftime("%z")
    return parsed.strftime("%Y-%m-%d %H:%M") + (f" {zone[:3]}:{zone[3:5]}" if zone else "")


def ranges(lines, code):
    """[1, 2, 4, 7] as 1–4, 7: lines that have no code, as 3 here, break no range."""
    place = {line: i for i, line in enumerate(sorted({*lines, *code}))}
    runs = []
    for line in sorted(set(lines)):
        if runs and place[line] == place[runs[-1][1]] + 1:
            runs[-1][1] = line
        else:
            runs.append([line, line])
    return ", ".join(str(a) if a == b else f"{a}–{b}" for a, b in runs)


def label(key):
    """unit_timeout_s as unit timeout: the unit is said with the value."""
    return re.sub("_(mb|s)$", "", key).replace("_", " ")


def measured(key, value):
    """A value of which only its key's ending tells the unit."""
    if isinstance(value, bool) or not isinstance(value, (int, float, type(None))):
        return str(value)
    if key.endswith("_mb"):
        return megabytes(value)
    return duration(value) if key.endswith("_s") else number(value)
