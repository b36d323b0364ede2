"""What characters say: look-alikes, accents, kana; folding once is folding for good."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.moderation.folding import Kind, glyphs, plain
from bot.moderation.lookalikes import _exact, turned_around


@given(st.text())
def test_folding_twice_changes_nothing(text: str) -> None:
    """What is plain stays as it is."""
    assert plain(plain(text)) == plain(text)


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=50))
def test_no_text_grows_without_bound(text: str) -> None:
    """A character becomes four glyphs at most, whatever Unicode would make of it."""
    assert len(glyphs(text)) <= 4 * len(text)
    assert len(glyphs("\ufdfa" * 100)) == 100


@pytest.mark.parametrize(
    "dressed",
    [
        "ｆｕｃｋ",
        "𝓯𝓾𝓬𝓴",
        "ⓕⓤⓒⓚ",
        "🅵🆄🅲🅺",
        "🅕🅤🅒🅚",
        "🇫🇺🇨🇰",
        "ƒυ¢к",
        "ғᴜᴄᴋ",
        "f̶ü̷ç̸k̵",
        "f\u200bu\u00adc\ufe0fk",
        "FUCK",
        "ꞘUCK",
        "fµ©k",
    ],
)
def test_every_letter_is_read(dressed: str) -> None:
    """Each glyph of a disguised word has the letter it stands for among its readings."""
    row = glyphs(dressed)
    assert len(row) == 4
    assert all(letter in glyph.readings for letter, glyph in zip("fuck", row, strict=True))


@pytest.mark.parametrize(
    ("written", "letters"), [("ﬃ", "ffi"), ("ß", "ss"), ("æ", "ae"), ("🆗", "ok"), ("㎏", "kg"), ("ы", "bi")]
)
def test_one_character_may_be_several_letters(written: str, letters: str) -> None:
    """Ligatures and signs that show several letters become that many glyphs."""
    assert "".join(glyph.literal for glyph in glyphs(written)) == letters


@pytest.mark.parametrize(
    "voiced", ["が", "ガ", "ぱ", "か\u3099", "ｶﾞ", "か゛", "か\u200b\u3099", "か\u0336\u3099", "カ ゛", "か🔥゙"]
)
def test_dakuten_are_letters(voiced: str) -> None:
    """However it is composed, a voiced kana stays voiced, and its mark is lost neither to accents nor to tricks."""
    assert glyphs(voiced)[0].literal in "がガぱ"
    assert glyphs("か")[0].readings != glyphs("が")[0].readings


def test_a_dakuten_without_a_kana_is_nothing() -> None:
    """え゛ is read as え."""
    assert plain("え\u3099ろ") == "えろ"


@pytest.mark.parametrize(
    ("kana", "readings"), [("ァ", ("ア", "あ")), ("ょ", ("よ",)), ("ｴ", ("エ", "え")), ("ー", ("ー",)), ("裸", ("裸",))]
)
def test_kana_readings(kana: str, readings: tuple[str, ...]) -> None:
    """Small and half-width kana are the usual ones; katakana also say hiragana, but not the other way round."""
    assert glyphs(kana)[0].readings == readings


def test_waves_after_kana_are_long_vowels() -> None:
    """The same sign elsewhere is a sign."""
    assert [glyph.literal for glyph in glyphs("エ〜エ～ a~")] == ["エ", "ー", "エ", "ー", " ", "a", "~"]


def test_other_writings_keep_their_vowels() -> None:
    """Hindi and Thai marks are letters; on a Latin letter they are ornaments."""
    assert plain("हिन्दी") == unicodedata.normalize("NFC", "हिन्दी")
    assert plain("f็u็c็k") == "fuck"


@pytest.mark.parametrize(
    ("char", "kind"),
    [
        ("a", Kind.ALPHABET),
        ("ж", Kind.ALPHABET),
        ("🅰", Kind.ALPHABET),
        ("7", Kind.DIGIT),
        ("٣", Kind.DIGIT),
        ("カ", Kind.KATAKANA),
        ("ひ", Kind.HIRAGANA),
        ("裸", Kind.HAN),
        ("한", Kind.HAN),
        ("@", Kind.STRONG),
        ("!", Kind.SIGN),
        ("〇", Kind.HAN),
        ("○", Kind.SIGN),
        ("\n", Kind.SPACE),
        ("\u3000", Kind.SPACE),
        ("_", Kind.SIGN),
        ("🔥", Kind.SIGN),
        ("\ud800", Kind.SIGN),
    ],
)
def test_kinds(char: str, kind: Kind) -> None:
    """Every character has its place among letters, signs and spaces, half of a surrogate pair too."""
    assert glyphs(char)[0].kind is kind


def test_upside_down() -> None:
    """A text with letters on their heads is turned around; one without is not."""
    assert turned_around("ʞɔnɟ") == "fuck"
    assert turned_around("pound") is None


def test_exact_lookalikes() -> None:
    """Unicode's table is turned around: a character, to the small letters and digits that it looks like."""
    table = _exact.__wrapped__()
    assert (set(table["\u0430"]), set(table["\u0425"])) == ({"a"}, {"x"})
    assert len(table) > 1000
    assert all(letters.isascii() and letters == letters.lower() for letters in table.values())
