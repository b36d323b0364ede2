"""The templates as they are now; whoever offers templates asks here.

The folder is watched, a broken edit keeps the last good version, and the servers decide what can run.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog
import watchfiles

from bot.comfy.errors import ComfyError
from bot.comfy.models import NodeList
from bot.errors import new_reference
from bot.jobs.fleet import Fleet
from bot.replies.press import VARY, Offer
from bot.workflow.fitness import problems
from bot.workflow.graph import Graph, GraphError, UiFormat
from bot.workflow.styles import StyleEntry, read_styles
from bot.workflow.template import Template, TemplateFault, claims, equipped, make_template, read_workflow
from bot.workflow.uiformat import ADVICE, converted, converter

log = structlog.get_logger()

_Stamp = tuple[int, int, int, int]
STYLES = "styles.toml"
DEBOUNCE_MS, STEP_MS = 200, 50
"""A file that is still being written is not read in the middle of it, and a change is seen well within a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateState:
    """A template as its owner wants to know it: `reasons` say why it is not offered, `fault` what its file lacks."""

    name: str
    title: str
    offered: bool
    command: str | None = None
    reasons: tuple[str, ...] = ()
    fault: str | None = None
    doubts: tuple[str, ...] = ()
    note: str | None = None
    """Why it has no command of its own, or not all its options."""


class Library:
    """All templates of a folder. `on_change` is called when what is offered may have changed, `on_fault` with news."""

    def __init__(self, folder: Path, fleet: Fleet) -> None:
        self._folder, self.fleet = folder, fleet
        self._sources: dict[str, Template] = {}
        self._stamps: dict[str, _Stamp] = {}
        self._styles_stamp: _Stamp | None = None
        self._faults: dict[str, str] = {}
        self._drawn: dict[str, UiFormat] = {}
        self._equipped_for: tuple[int, ...] = ()
        self._equipped: dict[str, tuple[Template, list[NodeList], Template]] = {}
        self._waiting: dict[str, Template] = {}
        """New versions that no server can run yet; the version before, which one can run, stays in use."""
        self._undrawn = asyncio.Event()
        self._offers: dict[tuple[str, frozenset[str]], tuple[Offer, ...]] = {}
        """Follow-ups by locale and guild's templates, until something changes: every card asks for them."""
        self._fresh: set[str] = set()
        """Names that were read since the owner was last told of them."""
        self.left_out: Mapping[str, str] = {}
        """Why a template has no command of its own, or not all its options; whoever publishes says so."""
        self.by_name: Mapping[str, Template] = {}
        self.styles: Mapping[str, StyleEntry] = {}
        self.on_change: list[Callable[[], None]] = []
        self.on_fault: list[Callable[[list[TemplateFault]], None]] = []
        fleet.on_change.append(self._refresh)

    @property
    def faults(self) -> list[TemplateFault]:
        """What is wrong with files now, by name of file."""
        return [TemplateFault(file=f"{name}.json", reason=reason) for name, reason in sorted(self._faults.items())]

    def usable(self) -> list[Template]:
        """Return the templates that are offered, in order of name."""
        return [template for template in self.by_name.values() if not self._reasons(template)]

    def states(self) -> list[TemplateState]:
        """Return every template and every faulty file, in order of name."""
        claimed, unclaimed = claims(self.usable())
        commands = {template.name: name for name, template in claimed.items()}
        left_out = {**unclaimed, **self.left_out}
        known = [
            TemplateState(
                name=template.name,
                title=template.title,
                offered=not (reasons := self._reasons(template)),
                command=commands.get(template.name),
                reasons=reasons,
                note=left_out.get(template.name),
                fault=self._faults.get(template.name),
                doubts=template.roles.ambiguous,
            )
            for template in self.by_name.values()
        ]
        broken = [
            TemplateState(name=name, title=name, offered=False, fault=reason)
            for name, reason in self._faults.items()
            if name not in self.by_name
        ]
        return sorted([*known, *broken], key=lambda state: state.name)

    def serving(self, follow_up: str) -> list[Template]:
        """Return the templates that serve a follow-up now, in order of name."""
        return [template for template in self.usable() if follow_up in template.manifest.follow_up]

    def offers(self, locale: str, allowed: frozenset[str] = frozenset()) -> tuple[Offer, ...]:
        """Return the follow-ups that are served now, each by its first template; variations come first.

        `allowed`: the templates of a guild; none: all.
        """
        key = (locale, allowed)
        if key not in self._offers:
            self._offers[key] = self._offered(locale, allowed)
        return self._offers[key]

    def _offered(self, locale: str, allowed: frozenset[str]) -> tuple[Offer, ...]:
        found: dict[tuple[str, str], Offer] = {}
        for template in self.usable():
            if allowed and template.name not in allowed:
                continue
            kind, prompt = template.takes, template.option("prompt")
            words = prompt is not None and prompt.required
            for name in template.manifest.follow_up if kind is not None else ():
                offer = Offer(name=name, title=template.title_in(locale), kind=str(kind), words=words)
                found.setdefault((name, str(kind)), offer)
        return tuple(sorted(found.values(), key=lambda one: (one.name != VARY, one.name)))

    def _reasons(self, template: Template) -> tuple[str, ...]:
        """Return why a template is not offered: what each server lacks, if none of those it may run on can run it."""
        if not template.roles.outputs:
            return ("no output node",)
        named = template.manifest.servers
        if named is not None and not set(named) & self.fleet.servers.keys():
            return (f"its manifest names no server that there is: {', '.join(named)}",)
        if not self.fleet.unfit(template):
            return ()
        seen = {name: server.node_list for name, server in self.fleet.servers.items() if server.node_list}
        return tuple(
            f"{name}: {'; '.join(problems(template, node_list))}"
            for name, node_list in seen.items()
            if named is None or name in named
        )

    def model_files(self) -> list[tuple[str, str, str]]:
        """Return the model files that templates name, as (class, input, name)."""
        return [
            (node.class_type, name, value)
            for template in (*self._sources.values(), *self._waiting.values())
            for node in template.graph.nodes.values()
            for name, value in node.inputs.items()
            if name.endswith("_name") and isinstance(value, str)
        ]

    # Reading

    def load(self) -> list[TemplateFault]:
        """Read what is new or changed in the folder; return the faults that are news."""
        if not self._folder.is_dir():
            self._faults = {}
            return [TemplateFault(file=str(self._folder), reason="there is no such folder")]
        news: list[TemplateFault] = []
        paths = {path.stem: path for path in sorted(self._folder.glob("*.json"))}
        for gone in set(self._stamps) - set(paths):
            for kept in (self._sources, self._stamps, self._faults, self._drawn, self._equipped, self._waiting):
                kept.pop(gone, None)
        for name, path in paths.items():
            stamp = _stamp(path)
            if self._stamps.get(name) != stamp:
                self._stamps[name] = stamp
                self._fresh.add(name)
                news += self._read(name, path)
        news += self._read_styles()
        self.fleet.forget()
        self._equip()
        return news

    def _read_styles(self) -> list[TemplateFault]:
        """Read the styles if their file has changed; a faulty one leaves those before in use."""
        path = self._folder / STYLES
        stamp = _stamp(path)
        if stamp == self._styles_stamp:
            return []
        self._styles_stamp = stamp
        try:
            self.styles = read_styles(path)
        except GraphError as fault:
            return [TemplateFault(file=STYLES, reason=str(fault))]
        return []

    def _read(self, name: str, path: Path) -> list[TemplateFault]:
        """Read a file; whatever it does to us, it takes nobody else with it."""
        try:
            return self._read_workflow(name, path)
        except Exception as fault:  # noqa: BLE001 - logged in full; one file must not take the bot with it
            return self._failed(name, _bug(name, fault))

    def _read_workflow(self, name: str, path: Path) -> list[TemplateFault]:
        try:
            graph = read_workflow(path)
        except UiFormat as drawn:
            if converter() is None:
                return self._failed(name, ADVICE)
            self._drawn[name] = drawn
            self._faults[name] = "it waits for a server, whose node list is needed to convert it"
            self._undrawn.set()
            return []
        except GraphError as fault:
            return self._failed(name, str(fault))
        self._drawn.pop(name, None)
        return self._take(name, graph, path)

    def _take(self, name: str, graph: Graph, path: Path) -> list[TemplateFault]:
        try:
            made = make_template(name, graph, path.with_suffix(".toml"))
        except GraphError as fault:
            self._waiting.pop(name, None)
            return self._failed(name, str(fault))
        return self._replace(name, made)

    def _replace(self, name: str, made: Template) -> list[TemplateFault]:
        """Put a new version in the place of the one before, unless only that one can be offered."""
        before = self.by_name.get(name)
        self.fleet.forget()
        lost = () if before is None or self._reasons(before) else self._unmet(made)
        self.fleet.forget()
        if not lost:
            self._waiting.pop(name, None)
            self._faults.pop(name, None)
            self._sources[name] = made
            return []
        self._waiting[name] = made
        news = self._failed(name, f"it could not be offered ({'; '.join(lost)})")
        return news if not self._node_lists() else []  # else the servers are asked anew before anybody is told

    def _unmet(self, made: Template) -> tuple[str, ...]:
        self.fleet.forget()
        return self._reasons(equipped(made, self._lists_for(made)))

    def _failed(self, name: str, reason: str) -> list[TemplateFault]:
        """Keep the last good version, if there is one."""
        kept = "; the version before it stays in use" if name in self._sources else ""
        self._faults[name] = reason + kept
        return [TemplateFault(file=f"{name}.json", reason=reason + kept)]

    async def convert(self) -> list[TemplateFault]:
        """Convert files in the editor's format with the node list of a server that answers; return the news."""
        news: list[TemplateFault] = []
        server = next((one for one in self.fleet.servers.values() if one.up), None)
        if server is None or not self._drawn:
            return news
        try:
            object_info = await server.client.object_info()
        except ComfyError as fault:
            log.info("template.not_converted", server=server.name, fault=str(fault))
            return news  # the files go on waiting
        for name, drawn in list(self._drawn.items()):
            try:
                graph = await asyncio.to_thread(converted, drawn.tree, object_info)
            except GraphError as fault:
                news += self._failed(name, str(fault))
            else:
                news += self._take(name, graph, self._folder / f"{name}.json")
            if self._drawn.get(name) is drawn:
                del self._drawn[name]
        self._equip()
        return news

    async def keep_converted(self) -> None:
        """Convert what waits whenever a server can help, for ever."""
        while True:
            await self._undrawn.wait()
            self._undrawn.clear()
            self.report(await self.convert())
            self._tell()

    # What servers say

    def _node_lists(self) -> list[NodeList]:
        return [server.node_list for server in self.fleet.servers.values() if server.node_list]

    def _refresh(self) -> None:
        """A server came, went or was read anew."""
        lists = self._node_lists()
        if tuple(map(id, lists)) != self._equipped_for:
            for name, made in list(self._waiting.items()):
                self._replace(name, made)
            self.fleet.forget()
            self._equip()
        if self._drawn:
            self._undrawn.set()
        self._tell()
        self._tell_unfit()

    def _equip(self) -> None:
        """Trace every template anew, with the types of the servers that it may run on."""
        lists = self._node_lists()
        self._equipped_for = tuple(map(id, lists))
        self._sources = dict(sorted(self._sources.items()))
        found: dict[str, Template] = {}
        for name, template in self._sources.items():
            try:
                found[name] = self._equipped_one(name, template)
            except Exception as fault:  # noqa: BLE001 - as above
                self._faults[name] = _bug(name, fault)
        self.by_name = found
        self._offers.clear()

    def _equipped_one(self, name: str, template: Template) -> Template:
        """Return a template as traced for the servers it may run on; what has not changed is not traced again."""
        lists = self._lists_for(template)
        known = self._equipped.get(name)
        if known is not None and known[0] is template and list(map(id, known[1])) == list(map(id, lists)):
            return known[2]
        made = equipped(template, lists)
        self._equipped[name] = (template, lists, made)
        return made

    def _lists_for(self, template: Template) -> list[NodeList]:
        named = template.manifest.servers
        servers = [one for one in self.fleet.servers.values() if one.node_list and (named is None or one.name in named)]
        fitting = [one.node_list for one in servers if not problems(template, one.node_list)]
        return fitting or [one.node_list for one in servers]

    def _tell(self) -> None:
        self._offers.clear()
        for listener in self.on_change:
            listener()

    def _tell_unfit(self) -> None:
        """Report what was read lately and cannot be offered, once the servers have been asked anew."""
        if not self.fleet.is_read or not self._node_lists():
            return
        known = [name for name in sorted(self._fresh) if name in self.by_name]
        self._fresh.clear()
        reasons = {
            name: self._faults[name] if name in self._waiting else f"it is not offered: {'; '.join(found)}"
            for name in known
            if (found := self._reasons(self.by_name[name])) or name in self._waiting
        }
        _, unclaimed = claims(self.usable())
        reasons |= {name: note for name, note in unclaimed.items() if name in known and name not in reasons}
        self.report([TemplateFault(file=f"{name}.json", reason=reason) for name, reason in reasons.items()])

    def report(self, news: list[TemplateFault]) -> None:
        """Log faults, and tell whoever wants to hear."""
        for fault in news:
            log.warning("template.faulty", file=fault.file, reason=fault.reason)
        if news:
            for listener in self.on_fault:
                listener(news)

    async def watch(self) -> None:
        """Read the folder again whenever something in it changes, for ever."""
        while not self._folder.is_dir():  # noqa: ASYNC110 - nobody tells us of a folder that is made later
            await asyncio.sleep(1.0)
        changes = watchfiles.awatch(  # pyright: ignore[reportUnknownMemberType] - its stop_event is anyio's or asyncio's
            self._folder, debounce=DEBOUNCE_MS, step=STEP_MS, recursive=False, watch_filter=_is_template
        )
        async for _ in changes:
            self.report(self.load())
            self._tell()
            if self._waiting or any(self._reasons(template) for template in self.by_name.values()):
                self.fleet.read_again()  # perhaps the owner put the model there, too; `_refresh` tells what is left
            self._tell_unfit()


def _bug(name: str, fault: Exception) -> str:
    """Log a fault of ours, and return the words for it."""
    reference = new_reference()
    log.error("template.bug", template=name, reference=reference, exc_info=fault)
    return f"Easel trips over it; please report it with the number {reference} and the log"


def _is_template(_change: watchfiles.Change, path: str) -> bool:
    return path.endswith((".json", ".toml"))


def _stamp(path: Path) -> _Stamp:
    """Return what changes when a workflow or its manifest is edited."""
    manifest = path.with_suffix(".toml")
    try:
        own = path.stat()
        beside = manifest.stat() if manifest.is_file() else None
    except OSError:
        return (0, 0, 0, 0)
    return (own.st_mtime_ns, own.st_size, beside.st_mtime_ns if beside else 0, beside.st_size if beside else -1)
