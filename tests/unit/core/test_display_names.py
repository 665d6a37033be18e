"""Display names: every script and emoji is allowed, nothing deceptive is."""

# ruff: noqa: RUF001 - this is the subject of the tests

from __future__ import annotations

import unicodedata

import pytest

from studysync.display_names import clean_name


@pytest.mark.parametrize(
    "name",
    [
        "Ada Lovelace", "Zoë", "Straße", "Nguyễn Văn An", "O’Brien", "Jean-Luc", "L·L", "D.J. 2", "@_-",
        "Иван", "Ελένη", "Ձոն", "ᏣᎳᎩ", "محمد", "שרה", "वैष्णवी", "தமிழ்", "ไทย", "ქეთი",
        "李明", "李 Anna", "さくらサクラ桜", "ラーメンKing", "金철수", "ㄅㄆ李",
        "Ada Иванова", "Ana & Кирилл", "Владимир Smith", "β Ada Σίσυφος",
        "علی\u200cرضا", "क्\u200dष", "क्\u200cष",
        "Hawaiʻi", "M\u02bcbeki",
        "🎓", "Zoë 🎓 محمد", "👩\u200d🎓", "👨🏽\u200d💻", "🏳️\u200d🌈", "👩\u200d❤️\u200d👨", "❤️", "1️⃣", "🇩🇪",
        "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    ],
)  # fmt: skip
def test_every_script_and_emoji_stay(name: str) -> None:
    """Each word has one script or scripts written together; joiners are allowed where a script or emoji needs them."""
    assert clean_name(name) == name


@pytest.mark.parametrize(
    "char", ["\U0001fae8", "\U0001faf9", "\U0001f6dc", "\u1c89", "\U00011f02", "\U0003134f", "\U0001ccf0"]
)
def test_what_is_newer_than_our_tables_is_not_invisible(char: str) -> None:
    """A letter or emoji of a later Unicode version than this Python's is an ordinary character."""
    assert clean_name(char) == unicodedata.normalize("NFKC", char)
    assert clean_name(f"Ada {char}").startswith("Ada ")


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  Ada \u00a0 L ", "Ada L"),
        ("Ada\u3000L", "Ada L"),
        ("Zoe\u0308", "Zoë"),
        ("\uff21\uff44\uff41", "Ada"),
        ("\U0001d49cda", "Ada"),
        ("\u24b6da", "Ada"),
        ("e\ufb03cient", "efficient"),
    ],
)
def test_one_spelling_is_kept(typed: str, kept: str) -> None:
    """Wide, styled and composed letters become plain ones, and white space a single space."""
    assert clean_name(typed) == kept


INVISIBLE = [
    "Ada\u200b", "\u200bAda", "A\u200dda", "A\u200cda", "\u200dAda", "Ada\u200d", "Ada \u200e", "\u200fAda", "a\u00adb",
    "\u2060x", "x\ufeff", "a\u061cb", "a\u202eb", "a\u2066b", "a\u206ab", "\U0001d173x", "a\u180eb",
    "Ada\u3164", "Ada\uffa0", "Ad\u115fa", "Ada\u2800", "a\u034fb", "a\u17b4b",
    "Ada\ufe0f", "Ada\ufe00", "Ada\U000e0100", "a\u180bb", "🎓\u200dA", "A\u200d🎓", "🎓\u200d",
    "Ada\U000e0061", "Ada\U000e0001", "🏴\U000e0061\U000e007f", "🏴\U000e0067", "a\ufdd0", "a\uffff",
    "\U0001fbff\u200ca", "a\ufff0", "a\u2065",
]  # fmt: skip


@pytest.mark.parametrize("name", INVISIBLE, ids=ascii)
def test_what_nobody_sees_is_refused(name: str) -> None:
    """Format characters, fillers, selectors and joiners without an effect are refused, wherever they are."""
    with pytest.raises(ValueError, match="invisible"):
        clean_name(name)


def test_no_format_character_is_forgotten() -> None:
    """Every character in Unicode's format category is refused between Latin letters."""
    for code in range(0x110000):
        if unicodedata.category(chr(code)) == "Cf":
            with pytest.raises(ValueError, match="invisible"):
                clean_name(f"a{chr(code)}b")


@pytest.mark.parametrize(
    "name",
    [
        "\u0410da", "Ad\u0430", "\u0391da", "L\u03bfvelace", "pаypal", "ѕcope", "\u13aada", "\ua4eeda", "\u0555da",
        "Ada Lovela\u0441e", "Ада Lovelaсe", "Иvan", "Adaא", "Adaم", "李Иван", "김さくら", "Иванα", "A\u0301d\u0430",
    ],
    ids=ascii,
)  # fmt: skip
def test_words_of_mixed_scripts_are_refused(name: str) -> None:
    """Letters that look like Latin ones among Latin ones, and scripts that no language mixes, are refused."""
    with pytest.raises(ValueError, match="scripts in one word"):
        clean_name(name)


@pytest.mark.parametrize("name", ["\u0410\u0441\u0430 Smith", "Ada \u03a4\u039f\u039d", "\u0425 Ada"], ids=ascii)
def test_whole_words_that_look_latin_among_latin_ones_are_refused(name: str) -> None:
    """Each word has one script, but the name mixes them."""
    with pytest.raises(ValueError, match="looks like one in Latin"):
        clean_name(name)


@pytest.mark.parametrize("name", ["a\0b", "a\nb", "a\tb", "a\x7fb", "\ud800", "a\u2028b", "\x1b[2J"], ids=ascii)
def test_control_characters_are_refused(name: str) -> None:
    """Control characters are not treated as white space."""
    with pytest.raises(ValueError, match="control"):
        clean_name(name)
