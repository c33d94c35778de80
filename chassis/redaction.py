"""Takes out of a text what must not be written down: secrets, card numbers, e-mail addresses.

A net under careful code, not a replacement for it: it knows shapes, so it cannot know names and postal addresses.
"""

import re

from chassis.cards import fits_luhn

# Nobody reads more of one field, and every pattern below takes time in proportion.
_MOST_CHARACTERS = 16_384

# The digits of the longest card, and one more.
_MOST_DIGITS = 20

# Repetitions are bounded, so that no text makes the search slower than a fixed factor times its length.
_SENSITIVE = re.compile(
    r"""
    (?P<password>  (?<=://)[^\s@]{1,256}(?=@) )
  | (?P<secret>    \b(?:sk|rk|whsec|omk)_[\w+/=-]{4,}
                 | \bSG\.[\w-]{6,}(?:\.[\w-]+){0,2}
                 | \b\w{2,6}_\w{1,128}_secret_\w+
                 | \beyJ[\w-]{6,}\.[\w-]{2,}(?:\.[\w-]*)?
                 | (?<=\bauthorization)["']?\s{0,4}[:=]\s{0,4}["']?(?:(?:basic|bearer)\s{1,4})?[^\s"',}]+
                 | (?<=\bbearer\s)[\w+/=.~-]{8,}
                 | (?<=\bbasic\s)(?=(?-i:[A-Z]?[a-z]*[A-Z\d+/=]))[\w+/=-]{8,} )
  | (?P<email>     [\w.+%'-]{1,64}(?:@|%40)[\w.-]*\w )
    """,
    re.VERBOSE | re.IGNORECASE,
)

# A run of digits in groups, as cards are printed; or an id that may hold such a run, and stays as it is.
_DIGITS = re.compile(
    r"(?P<id>\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b(?=\d{0,40}[a-f])[0-9a-f]{24,}\b)|\d(?:[ -]?\d){12,}"
)
_GROUP = re.compile(r"\d+")

# None of these shapes is in a text without one of these marks, and most texts have none. Looking for each by itself
# takes a tenth of the time that one pattern for all of them does.
_MARKS = ("@", "%40", "sk_", "rk_", "whsec_", "omk_", "sg.", "_secret_", "eyj", "auth", "bearer", "basic")
_MANY_DIGITS = re.compile(r"\d[\d -]{12}")


def redact(text: str) -> str:
    """Return the text with whatever has the shape of a secret, a card number or an e-mail address replaced."""
    if len(text) > _MOST_CHARACTERS:
        text = text[:_MOST_CHARACTERS] + "[cut]"
    if _has_marks(text):
        text = _SENSITIVE.sub(lambda match: f"[{match.lastgroup}]", text)
    if _MANY_DIGITS.search(text):
        text = _DIGITS.sub(lambda match: match.group() if match["id"] else _without_cards(match.group()), text)
    return text


def is_suspicious(text: str) -> bool:
    """Say whether redacting the text may change it; for many short texts at once, joined, in less time than each."""
    return _has_marks(text) or _MANY_DIGITS.search(text) is not None


def _has_marks(text: str) -> bool:
    lowered = text.lower()
    return any(mark in lowered for mark in _MARKS)


def _without_cards(run: str) -> str:
    """Replace the groups of a run that make up a card number: another number may stand right beside it."""
    kept, position = [], 0
    groups = list(_GROUP.finditer(run))
    for first, start in enumerate(groups):
        end = _end_of_card(groups[first : first + _MOST_DIGITS])
        if end and start.start() >= position:
            kept += [run[position : start.start()], "[card]"]
            position = end
    return "".join((*kept, run[position:]))


def _end_of_card(groups: list[re.Match[str]]) -> int:
    """Return where the card number ends that begins with the first group; 0 when none begins there."""
    digits = ""
    for group in groups:
        digits += group.group()
        if fits_luhn(digits):
            return group.end()
        if len(digits) > _MOST_DIGITS:
            break
    return 0
