"""Forbidden words in disguise, and the ordinary sentences around them: made by rule and seed, apart from the filter."""

import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from tests.moderation.prompts import ENGLISH, ENGLISH_PROMPTS, JAPANESE, JAPANESE_PROMPTS

_LEET = {pair[0]: pair[1:] for pair in "a4@ b8 e3€ g9 i1! l1| o0 s5$ t7+ c(¢ y¥".split()}  # noqa: SIM905
_CYRILLIC = dict(zip("aceiopsxyjhkmntbuwr", "асеіорѕхујнкмптьцшг", strict=True))
_GREEK = dict(zip("abeikmnoptuvxwd", "αβειкмησρτυνχωδ", strict=True))
_LATIN = dict(zip("abcdefghiklmnoprstuvwyz", "ąƀçđęƒğħıķłɱñøƥřşţůʋŵýž", strict=True))
_CAPITALS = dict(zip("abcdeghijklmnoprtuvwyz", "ᴀʙᴄᴅᴇɢʜɪᴊᴋʟᴍɴᴏᴘʀᴛᴜᴠᴡʏᴢ", strict=True))
_CHEROKEE = dict(zip("abcdeghijklmprstvwz", "ᎪᏴᏟᎠᎬᏀᎻᎥᎫᏦᏞᎷᏢᏒᏚᎢᏙᎳᏃ", strict=True))
_TURNED = dict(zip("abcdefghijklmnopqrstuvwxyz", "ɐqɔpǝɟƃɥᴉɾʞlɯuodbɹsʇnʌʍxʎz", strict=True))
_HALF = dict(zip("エロセクスオナニチンコマパイヌレプルノソリァッー", "ｴﾛｾｸｽｵﾅﾆﾁﾝｺﾏﾊｲﾇﾚﾌﾙﾉｿﾘｧｯｰ", strict=True)) | {
    "ド": "ﾄﾞ",
    "プ": "ﾌﾟ",
    "ポ": "ﾎﾟ",
    "パ": "ﾊﾟ",
}
_SMALL = dict(zip("エオイあいオ", "ェォィぁぃォ", strict=True))
_UNSEEN = "\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e\u180e"
_EMOJI = "🍆💦🔥😀✨🍑"
Trick = Callable[[Random, str], "str | None"]
"""A disguise: None when it cannot be put on the word."""


@dataclass(frozen=True, slots=True)
class Evasion:
    """A disguised word in a sentence, and the tricks that disguised it."""

    word: str
    tricks: tuple[str, ...]
    text: str


def _swapped(table: dict[str, str]) -> Trick:
    """Replace what a table has; at least one letter."""

    def trick(_random: Random, word: str) -> str | None:
        made = "".join(table.get(char, char) for char in word)
        return made if made != word else None

    return trick


def _leet(random: Random, word: str) -> str | None:
    """Replace letters by signs; one letter stays, and signs that would end a sentence are not the last."""
    places = [at for at, char in enumerate(word) if char in _LEET]
    chosen = set(random.sample(places, random.randint(1, len(places)))) if places else set()
    if len(chosen) == len(word):
        chosen.pop()
    made = ""
    for at, char in enumerate(word):
        signs = [sign for sign in _LEET.get(char, "") if not (sign in "!|" and at == len(word) - 1)]
        signs = [sign for sign in signs if not (sign in "+(" and at == 0)]
        made += random.choice(signs) if at in chosen and signs else char
    return made if made != word else None


def _shifted(first: int, capital: int | None = None) -> Trick:
    """Move letters to another alphabet of Unicode."""

    def trick(random: Random, word: str) -> str | None:
        base = capital if capital is not None and random.random() < 0.5 else first
        low = ord("A") if base == capital else ord("a")
        up = word.upper() if base == capital else word
        return "".join(chr(base + ord(char) - low) if char.isascii() and char.isalpha() else char for char in up)

    return trick


def _marked(marks: str, most: int = 1) -> Trick:
    def trick(random: Random, word: str) -> str:
        return "".join(char + "".join(random.choices(marks, k=random.randint(1, most))) for char in word)

    return trick


def _between(signs: str, *, always: bool = True) -> Trick:
    """Put a sign between letters: everywhere the same, or somewhere one of several."""

    def trick(random: Random, word: str) -> str | None:
        if len(word) < 2:
            return None
        if always:
            return random.choice(signs).join(word)
        return word[0] + "".join(random.choice(signs) + char for char in word[1:])

    return trick


def _once(signs: str) -> Trick:
    def trick(random: Random, word: str) -> str | None:
        at = random.randrange(1, len(word)) if len(word) > 1 else 0
        return word[:at] + random.choice(signs) + word[at:] if at else None

    return trick


def _torn(random: Random, word: str) -> str | None:
    """A space behind the first letter, or in the middle where neither half is a word."""
    if word in {"ass", "orgasm"}:
        return None
    halves = {"fuck": "fu ck", "shit": "sh it", "damn": "da mn", "bomb": "bo mb", "cunt": "cu nt", "bitch": "bi tch"}
    return halves[word] if word in halves and random.random() < 0.5 else f"{word[0]} {word[1:]}"


def _repeated(random: Random, word: str) -> str:
    at = random.randrange(len(word))
    return word[:at] + word[at] * random.randint(3, 9) + word[at + 1 :]


def _masked(sign: str) -> Trick:
    """Hide letters within, half at most."""

    def trick(random: Random, word: str) -> str | None:
        if len(word) < 3 or (sign == "#" and unicodedata.normalize("NFKC", word).lower() == "cum"):
            return None  # c#m is a chord
        count = random.randint(1, min(2, len(word) // 2))
        at = random.randint(1, len(word) - 1 - count)
        return word[:at] + sign * count + word[at + count :]

    return trick


def _circled_out(random: Random, word: str) -> str | None:
    """Hide one Japanese letter behind a circle, not the first."""
    if len(word) < 2 or word[0].isascii():
        return None
    at = random.randrange(1, len(word))
    return word[:at] + random.choice("〇○●◯*＊") + word[at + 1 :]


def _kana(word: str, source: int, shift: int) -> str | None:
    if sum(0x3041 <= ord(char) <= 0x30F6 for char in word) < 3:
        return None
    made = "".join(chr(ord(char) + shift) if source <= ord(char) < source + 0x56 else char for char in word)
    return made if made != word else None


def _prolonged(sign: str) -> Trick:
    def trick(random: Random, word: str) -> str | None:
        places = [at for at in range(1, len(word)) if 0x3041 <= ord(word[at - 1]) <= 0x30F6]
        at = random.choice(places) if places else 0
        return word[:at] + sign + word[at:] if at else None

    return trick


def _dressed_in(*forms: str) -> Trick:
    return lambda random, word: random.choice(forms).format(word)


DRESSES: dict[str, Trick] = {
    "upper case": lambda random, word: "".join(random.choice((char, char.upper())) for char in word),
    "full width": _shifted(0xFF41, 0xFF21),
    "circled": _shifted(0x24D0, 0x24B6),
    "dark circled": _shifted(0x1F150),
    "squared": _shifted(0x1F130),
    "dark squared": _shifted(0x1F170),
    "mathematical bold": _shifted(0x1D41A, 0x1D400),
    "mathematical script": _shifted(0x1D4EA, 0x1D4D0),
    "fraktur": _shifted(0x1D586, 0x1D56C),
    "monospace": _shifted(0x1D68A, 0x1D670),
    "regional": _shifted(0x1F1E6),
    "Cyrillic": _swapped(_CYRILLIC),
    "Greek": _swapped(_GREEK),
    "Cherokee": _swapped(_CHEROKEE),
    "extended Latin": _swapped(_LATIN),
    "small capitals": _swapped(_CAPITALS),
    "leet": _leet,
}
"""English letters replaced one by one."""
INSERTIONS: dict[str, Trick] = {
    "accents": _marked("\u0301\u0308\u0327\u0323", 2),
    "zalgo": _marked("\u0300\u0315\u031b\u0340\u0489\u0363\u036f", 6),
    "struck through": _marked("\u0336\u0335\u0338"),
    "zero width": _between(_UNSEEN, always=False),
    "soft hyphen": _once("\u00ad"),
    "variation selectors": _marked("\ufe0f\ufe0e"),
    "tag characters": _marked("\U000e0061\U000e0020"),
    "spaced": _between(" \u3000\u00a0\u2009"),
    "lines and tabs": _between("\n\t"),
    "dots": _between("._-/,~"),
    "mixed signs": _between("._-/ ", always=False),
    "one sign": _once(".-_/,'·"),
    "emoji": _between(_EMOJI, always=False),
    "one emoji": _once(_EMOJI),
    "repeated": _repeated,
    "doubled": lambda _random, word: "".join(char * 2 for char in word),
    "torn": _torn,
    "stars": _masked("*"),
    "hashes": _masked("#"),
}
WRAPS: dict[str, Trick] = {
    "weighted": _dressed_in("({}:1.2)", "(({}))", "[{}]", "{{{}}}", "[{}:0.5]", "({})"),
    "tag": _dressed_in("<lora:{}:0.8>", "<lora:big_{}_v2:1>", "embedding:{}"),
    "file name": _dressed_in("big_{}_v2", "my-{}.png", "{}_lora.safetensors", "new_{}"),
    "digits behind": _dressed_in("{}123", "{}2", "{}_69"),
    "quoted": _dressed_in('"{}"', "“{}”", "*{}*", "**{}**", "||{}||", "~~{}~~", "`{}`", "#{}"),
}
JAPANESE_TRICKS: dict[str, Trick] = {
    "half width": _swapped(_HALF),
    "hiragana": lambda _random, word: _kana(word, 0x30A1, -0x60),
    "katakana": lambda _random, word: _kana(word, 0x3041, 0x60),
    "small kana": _swapped(_SMALL),
    "wave": _prolonged("〜"),
    "long vowels": _prolonged("ーー"),
    "small tsu": _prolonged("っ"),
    "decomposed": lambda _random, word: (
        unicodedata.normalize("NFD", word) if word != unicodedata.normalize("NFD", word) else None
    ),
    "spaced": _between(" \u3000\u2009"),
    "lines": _between("\n\t"),
    "dots": _between("・.★☆/_-"),
    "one sign": _once("★☆_-♡ "),
    "zero width": _between(_UNSEEN, always=False),
    "struck through": _marked("\u0336\u0335\u0338"),
    "variation selectors": _marked("\ufe0f\ufe0e\U000e0101"),
    "emoji": _between(_EMOJI, always=False),
    "circles": _circled_out,
    "repeated": _repeated,
    "bracketed": _dressed_in("({}:1.2)", "「{}」", "[{}]", "【{}】", "<lora:{}:1>"),
    "digits behind": _dressed_in("{}123", "{}_v2"),
}
_NO_PAIRS = {
    (parting, "circles") for parting in ("spaced", "lines", "dots", "one sign", "emoji")
} | {  # no mask apart from letters
    ("leet", "stars"),  # nothing of the word would be left
    ("leet", "hashes"),
    ("leet", "torn"),  # a number before a word is a number
    ("long vowels", "one sign"),  # parts the two marks
    ("decomposed", "repeated"),  # repeats the letter without its dakuten, which is another letter
    ("half width", "repeated"),
    ("half width", "circles"),
    ("decomposed", "circles"),
    ("long vowels", "circles"),
    ("wave", "circles"),
    ("circles", "repeated"),  # a row of masks is decoration
    ("leet", "doubled"),  # as is a row of signs
}


def alone(seed: int, times: int = 1) -> Iterator[Evasion]:
    """Yield every word under every trick, the given number of times."""
    random = Random(seed)  # noqa: S311 - the same disguises every time
    for _ in range(times):
        for word in ENGLISH:
            for name, trick in (DRESSES | INSERTIONS | WRAPS | {"upside down": _upside_down}).items():
                yield from _embedded(random, word, (name,), trick(random, word), ENGLISH_PROMPTS)
        for word in JAPANESE:
            for name, trick in JAPANESE_TRICKS.items():
                yield from _embedded(random, word, (name,), trick(random, word), JAPANESE_PROMPTS)


def paired(seed: int, count: int) -> Iterator[Evasion]:
    """Yield words under two tricks each, as many as are asked for or fewer when two do not go together."""
    random = Random(seed)  # noqa: S311 - the same disguises every time
    for _ in range(count):
        word = random.choice(ENGLISH)
        first = random.choice([*DRESSES, *INSERTIONS])
        second = random.choice([*INSERTIONS, *WRAPS] if first in DRESSES else [*WRAPS])
        made = (DRESSES | INSERTIONS)[first](random, word)
        if made is not None and (first, second) not in _NO_PAIRS:
            later = (INSERTIONS | WRAPS)[second](random, made)
            yield from _embedded(random, word, (first, second), later, ENGLISH_PROMPTS)
        yield from _paired_japanese(random)


def _paired_japanese(random: Random) -> Iterator[Evasion]:
    word = random.choice(JAPANESE)
    names = list(JAPANESE_TRICKS)
    first, second = sorted(random.sample(names, 2), key=names.index)
    made = JAPANESE_TRICKS[first](random, word)
    if made is not None and (first, second) not in _NO_PAIRS:
        later = JAPANESE_TRICKS[second](random, made)
        yield from _embedded(random, word, (first, second), later, JAPANESE_PROMPTS)


def _embedded(
    random: Random, word: str, tricks: tuple[str, ...], made: str | None, prompts: tuple[str, ...]
) -> Iterator[Evasion]:
    if made is not None and made != word:
        yield Evasion(word, tricks, random.choice(prompts).replace("{}", made))


def _upside_down(_random: Random, word: str) -> str | None:
    made = "".join(_TURNED.get(char, char) for char in word)[::-1]
    return None if made.isascii() else made
