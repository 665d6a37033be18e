"""Display names: any script and emoji, but nothing that imitates another name.

The rules are those of Unicode's security mechanisms (UTS 39), as far as they need no tables: the script of a letter is
the first word of its name in the Unicode Character Database.
"""

from __future__ import annotations

import re
import unicodedata

from idna.core import valid_contextj

_ZWNJ, _ZWJ = "\u200c", "\u200d"
_EMOJI_STYLE = frozenset("\ufe0e\ufe0f")
_KEYCAP = "\u20e3"
# Marks and letters that are invisible, although their category does not say so.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_VARIATION_SELECTORS = re.compile("[\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]")
# Ranges reserved for invisible characters or non-characters. Other characters unknown to our tables are probably newer
# letters and emoji.
_NEVER_SHOWN = re.compile("[\u2065\ufdd0-\ufdef\ufff0-\ufff8\U000e0000-\U000e0fff]")
# Only the flags of England, Scotland and Wales are spelled with invisible characters.
_FLAGS = re.compile("\U0001f3f4(?:" + "|".join(
    "".join(chr(0xE0000 + ord(letter)) for letter in region) for region in ("gbeng", "gbsct", "gbwls")
) + ")\U000e007f")  # fmt: skip
# Scripts that are written together, also with Latin.
_TOGETHER = (
    frozenset({"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "LATIN"}),
    frozenset({"CJK", "HANGUL", "LATIN"}),
    frozenset({"CJK", "BOPOMOFO", "LATIN"}),
)
# Letters of other scripts that look like Latin letters.
_LIKE_LATIN = frozenset("асԁеһіјӏорԛѕуԝхѵАВСЕНІЈКМОРԚЅТԜХҮѴαικνορυχΑΒΕΖΗΙΚΜΝΟΡΤΥΧօսոһ")


def clean_name(value: str) -> str:
    """Return `value` in Unicode NFKC with single spaces.

    Raises:
        ValueError: it contains invisible characters, or a word that mixes scripts as no language does.
    """
    if any(unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} for char in value):
        raise ValueError("must not contain control characters")
    name = one_spelling(value)
    if any(_is_invisible(name, place) for place in _places_to_check(name)):
        raise ValueError("must not contain invisible characters")
    words = re.findall(r"[^\W\d_]+", _letters_only(name))
    scripts = [{_script(letter) for letter in word} for word in words]
    if not all(len(each) == 1 or any(each <= together for together in _TOGETHER) for each in scripts):
        raise ValueError("must not mix letters of different scripts in one word")
    if {"LATIN"} in scripts and any(_LIKE_LATIN.issuperset(word) for word in words):
        raise ValueError("must not contain a word that looks like one in Latin letters")
    return name


def one_spelling(value: str) -> str:
    """Return `value` with plain letters instead of wide, styled and decomposed ones, and single spaces."""
    return " ".join(unicodedata.normalize("NFKC", value).split())


def _places_to_check(name: str) -> list[int]:
    covered = {place for flag in _FLAGS.finditer(name) for place in range(*flag.span())}
    return [place for place in range(len(name)) if place not in covered]


def _is_invisible(name: str, place: int) -> bool:
    char = name[place]
    before, after = name[place - 1 : place], name[place + 1 : place + 2]
    if char in _EMOJI_STYLE:
        return not (_is_symbol(before) or after == _KEYCAP)
    if char in (_ZWJ, _ZWNJ):
        return not (_joins_emoji(name, place) or _joins_letters(name, place))
    if char in _BLANK or _NEVER_SHOWN.match(char) or ord(char) & 0xFFFE == 0xFFFE:  # noqa: PLR2004
        return True
    return unicodedata.category(char) == "Cf" or _VARIATION_SELECTORS.match(char) is not None


def _is_symbol(char: str) -> bool:
    """Return whether `char` is an emoji or another symbol, possibly newer than our tables."""
    return char != "" and unicodedata.category(char) in {"So", "Sk", "Sm", "Cn"}


def _joins_emoji(name: str, place: int) -> bool:
    before = name[:place].rstrip("\ufe0f")[-1:]
    return name[place] == _ZWJ and _is_symbol(before) and _is_symbol(name[place + 1 : place + 2])


def _joins_letters(name: str, place: int) -> bool:
    """Return whether the joiner affects the letters next to it, as Persian and Indic scripts require."""
    try:
        return valid_contextj(name, place)
    except ValueError:  # next to a character unknown to our tables
        return False


def _letters_only(name: str) -> str:
    """Remove combining marks, and modifiers that many scripts share, such as the okina."""
    return "".join(char for char in name if unicodedata.category(char) not in {"Mn", "Mc", "Me", "Cf", "Lm"})


def _script(letter: str) -> str:
    return unicodedata.name(letter, "NEWER THAN OUR TABLES").partition(" ")[0]
