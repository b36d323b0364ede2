"""The house: who may import whom, how large things may grow, which names are not rooms."""

import ast
from functools import cache
from pathlib import Path

import pytest

pytestmark = pytest.mark.no_cover  # sources are read here, and nothing of them is run
ROOT = Path(__file__).parents[1]
LAYERS = (
    {"bot.__init__", "bot.errors"},
    {"bot.model"},
    {"bot.settings", "bot.logs", "bot.metrics"},
    {"bot.comfy", "bot.delivery", "bot.enhancer", "bot.store"},
    {"bot.workflow", "bot.replies"},
    {"bot.moderation"},
    {"bot.jobs"},
    {"bot.services"},
    {"bot.answers"},
    {"bot.filled"},
    {"bot.bot", "bot.web", "bot.workshop"},
    {"bot.assembly", "bot.check", "bot.publishing"},
    {"cogs", "bot.app"},
    {"bot.outpost"},
    {"bot.sandbox"},
    {"bot.cli"},
    {"bot.__main__"},
)
RANK = {room: rank for rank, rooms in enumerate(LAYERS) for room in rooms}
COGS_SEE = {
    "cogs",
    "bot.answers",
    "bot.bot",
    "bot.filled",
    "bot.publishing",
    "bot.services",
    "bot.replies",
    "bot.model",
    "bot.errors",
}
STANDINS = ("bot.sandbox.comfyui", "bot.sandbox.discord")
SOURCES = sorted([*ROOT.glob("bot/**/*.py"), *ROOT.glob("cogs/**/*.py")])


def room_of(dotted: str) -> str:
    top, _, rest = dotted.partition(".")
    return "cogs" if top == "cogs" else f"{top}.{rest.partition('.')[0]}"


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.AST) -> list[str]:
    found: list[str] = []
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                found += [alias.name for alias in node.names]
            case ast.ImportFrom(module=str(module), level=0):
                found += [f"{module}.{alias.name}" for alias in node.names]
            case _:
                pass
    return found


def offences(module: str, tree: ast.Module) -> list[str]:
    own = room_of(module)
    wrong: list[str] = []
    for dotted in imported(tree):
        target = room_of(dotted)
        if target not in RANK or target == own:
            continue
        if RANK[target] >= RANK[own] or (own == "cogs" and target not in COGS_SEE):
            wrong.append(f"{module}: {own} may not import {target}")
    return wrong


def test_imports_point_downward() -> None:
    """Every room imports only from rooms below it; cogs see only what they may."""
    assert [fault for path in SOURCES for fault in offences(module_of(path), tree_of(path))] == []


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("bot.comfy.client", "from bot.jobs.fleet import Fleet"),
        ("bot.model.job", "from bot.comfy.events import Status"),
        ("bot.replies.cards", "import bot.services"),
        ("bot.app", "from bot.sandbox.run import running"),
        ("cogs.imagine", "from bot.store.jobs import JobStore"),
        ("bot.jobs.runner", "from bot.bot import EaselBot"),
    ],
)
def test_a_planted_upward_import_is_found(module: str, line: str) -> None:
    """The rule above can fail: each of these planted imports is an offence."""
    assert offences(module, ast.parse(line))


def test_every_room_has_its_place() -> None:
    """No module of ours lies outside the plan."""
    assert {room_of(module_of(path)) for path in SOURCES} <= set(RANK)


def test_standins_share_nothing_with_the_client() -> None:
    """A stand-in imports itself only: one that shared our parsers would share our mistakes."""
    for standin in STANDINS:
        for path in (ROOT / standin.replace(".", "/")).glob("**/*.py"):
            ours = [name for name in imported(tree_of(path)) if name.startswith(("bot", "cogs"))]
            assert [name for name in ours if not name.startswith(standin)] == [], path


def test_sizes() -> None:
    """Files have at most 500 lines, cogs 150, functions 50."""
    for path in SOURCES:
        lines = path.read_text(encoding="utf-8").splitlines()
        assert len(lines) <= (150 if path.parent.name == "cogs" else 500), path
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert (node.end_lineno or 0) - node.lineno < 50, f"{path}: {node.name}"


def test_no_dumping_grounds() -> None:
    """Nothing is called utils, helpers, common or misc."""
    forbidden = {"utils", "util", "helpers", "helper", "common", "misc"}
    assert [path for path in SOURCES if forbidden & {path.stem, *(part.name for part in path.parents)}] == []


def test_no_member_text_is_templated_into_json() -> None:
    """The graph is edited as a tree: no room between request and server formats text into JSON."""
    for path in (ROOT / "bot" / "workflow").glob("*.py"):
        names = imported(tree_of(path))
        assert not {"string.Template", "jinja2"} & set(names), path
