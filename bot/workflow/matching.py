"""Names that people type against names that servers have: with or without folder, ending and capitals."""

from collections.abc import Sequence

from rapidfuzz import fuzz, process, utils

NEAR, CUT = 3, 100
"""Names offered for a wrong one; letters to which Discord cuts a long name, at its beginning."""
_ENDINGS = (".safetensors", ".ckpt", ".pt", ".pth", ".bin", ".sft", ".gguf")
_LEAST_SCORE = 55


def resolve(typed: str, names: Sequence[str]) -> str | None:
    """Return the one name that is meant, or None if there is none, or several that could be."""
    if typed in names:
        return typed
    same = [name for name in names if plain(name) == plain(typed)]
    same = same or [name for name in names if len(typed) >= CUT and name.endswith(typed)]
    alike = same or [name for name in names if base(plain(name)) == base(plain(typed))]
    return alike[0] if len(alike) == 1 else None


def plain(name: str) -> str:
    """Return a name for comparison: lower case, slashes one way, without its ending."""
    low = name.strip().replace("\\", "/").casefold()
    return next((low.removesuffix(ending) for ending in _ENDINGS if low.endswith(ending)), low)


def base(name: str) -> str:
    """Return a name without its folder."""
    return name.rpartition("/")[2]


def near(typed: str, names: Sequence[str], limit: int = NEAR) -> list[str]:
    """Return the names that are most like what was typed, best first."""
    if not typed.strip():
        return list(names[:limit])
    ranked = process.extract(
        typed, names, scorer=fuzz.WRatio, processor=utils.default_process, limit=limit, score_cutoff=_LEAST_SCORE
    )
    return [name for name, _, _ in ranked]


def offered(typed: str, names: Sequence[str], limit: int = 25) -> list[str]:
    """Return what autocomplete shows: all that hold what was typed, then what is like it."""
    low = typed.strip().casefold()
    holding = [name for name in names if low in name.casefold()]
    rest = [name for name in near(typed, names, limit) if name not in holding] if low else []
    return [*holding, *rest][:limit]
