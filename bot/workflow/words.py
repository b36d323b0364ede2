"""From a sampler to the literal that holds a member's words, by role (rules: shared facts, workflows §4)."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bot.workflow.encoder import NOT_TYPED, asked, encoded, is_against, is_wordy, side_of, typed
from bot.workflow.graph import Graph, Link, Node, Place
from bot.workflow.lens import NEGATIVE, POSITIVE, Lens, active_branch

_PLACEHOLDER = re.compile(r"\{\{.*\}\}|^%\w+%$|PARAM_|_HERE|提示词|^\{\w+\}$|^\$\w+$")
_TITLE_FOR = re.compile(r"prompt|positive|subject|scene|提示词|input", re.IGNORECASE)
_TITLE_AGAINST = re.compile(r"style|lora|quality|suffix|trigger|constant|system|prefix", re.IGNORECASE)
_QUALITY_TAGS = re.compile(r"masterpiece|best quality|highres|8k|4k|absurdres|score_\d", re.IGNORECASE)
_ONLY_LORA = re.compile(r"^\s*(<lora:[^>]*>[\s,]*)+$", re.IGNORECASE)
_REPLACES = re.compile(r"replace|regex", re.IGNORECASE)
_OPTIONS = frozenset({"yes", "no", "true", "false", "enable", "disable", "enabled", "disabled", "none", "on", "off",
                      "fixed", "randomize", "increment", "decrement", "auto", "default"})  # fmt: skip
_WRITES = re.compile(r"text.?generat|llm|ollama|\bgpt|chat", re.IGNORECASE)
"""A model that writes the prompt: what is typed before it is an instruction to it."""

Group = tuple[Place, ...]
"""The literals of one encoder: all of them take the same words."""


@dataclass(slots=True)
class WordTrace:
    """One walk for one role through one graph."""

    lens: Lens
    role: str
    ambiguous: bool = False
    _seen: set[tuple[str, int]] = field(default_factory=set[tuple[str, int]])

    @property
    def _graph(self) -> Graph:
        return self.lens.graph

    @property
    def _other(self) -> str:
        return NEGATIVE if self.role == POSITIVE else POSITIVE

    def from_stage(self, stage: Node) -> list[Group]:
        """Return the groups of literals that a sampler's conditioning, or a generator's own prompt, comes from."""
        links = dict(self._graph.links(stage))
        if self.role in links:
            groups = self._conditioning(links[self.role])
            if self.role == NEGATIVE and not groups:
                groups = [
                    group for name, link in links.items() if is_against(name) for group in self._conditioning(link)
                ]
        elif isinstance(stage.inputs.get(self.role), str):
            groups = [(Place(stage.id, self.role),)]
        else:
            bundles = [(name, link) for name, link in links.items() if side_of(name) or self.lens.is_bundle(name, link)]
            groups = self._behind(bundles) or [self._fields(stage, encodes=False) or ()]
        return _distinct(groups)

    def _conditioning(self, link: Link) -> list[Group]:
        node = self._graph.nodes[link.node]
        if (node.id, link.slot) in self._seen or "zeroout" in node.kind:
            return []
        self._seen.add((node.id, link.slot))
        if POSITIVE in node.inputs and NEGATIVE in node.inputs:
            return self._own_side(node)
        if self.lens.captions(node):
            return []
        own = self._fields(node, encodes=not self._is_textual(link))
        if own is None:
            return self._behind(self._onward(node))
        passed = [(name, source) for name, source in self._onward(node) if self._is_conditioning(name, source)]
        before = self._behind(passed)
        if not before:
            return [own] if own else []
        self.ambiguous = True  # it adds its words, say for a part of the picture, to those that came before
        return [(*group, *own) if self._texts(own) <= self._texts(group) else group for group in before]

    def _texts(self, group: Group) -> set[str]:
        return {str(self._graph.value(place)) for place in group}

    def _onward(self, node: Node) -> list[tuple[str, Link]]:
        """Return the links of a node that may lead to words."""
        branch = active_branch(self._graph, node)
        alone = self.role == NEGATIVE and "guider" in node.kind  # what it guides by is no negative
        return [
            (name, link)
            for name, link in self._graph.links(node)
            if (branch is None or name == branch)
            and (name == self.role or self.lens.carries_words(name, link))
            and not (alone and side_of(name) != NEGATIVE and self._is_conditioning(name, link))
        ]

    def _is_conditioning(self, name: str, link: Link) -> bool:
        kind = self.lens.source_type(link)
        if kind:
            return kind == "CONDITIONING"
        return bool(re.match(r"cond|positive|negative", name.lower())) and not self._is_textual(link)

    def _behind(self, links: Sequence[tuple[str, Link]]) -> list[Group]:
        """Return what several links lead to, each side by its own; what no name gives a side is positive beside one."""
        sides = {name: side_of(name) for name, _ in links}
        if self.role == NEGATIVE and NEGATIVE in sides.values():
            links = [(name, link) for name, link in links if sides[name] == NEGATIVE]
        groups = [
            group
            for name, link in links
            if sides[name] != self._other and not (self.role == POSITIVE and is_against(name))
            for group in self._conditioning(link)
        ]
        against = [link for name, link in links if sides[name] == NEGATIVE]
        if self.role == POSITIVE and against and len(_distinct(groups)) > 1:
            walk = WordTrace(self.lens, NEGATIVE)
            denied = {place for link in against for group in walk._conditioning(link) for place in group}
            groups = [group for group in groups if not denied & set(group)] or groups
        return groups

    def _own_side(self, node: Node) -> list[Group]:
        """Follow only the own side of a node that has both."""
        value = node.inputs[self.role]
        if (link := self._graph.link(value)) is None:
            return [(Place(node.id, self.role),)] if isinstance(value, str) else []
        if self._is_textual(link):
            return [group] if (group := self._literals(node, [self.role])) else []
        return self._conditioning(link)

    def _is_textual(self, link: Link) -> bool:
        """Tell a string source from a conditioning source."""
        kind = self.lens.source_type(link)
        if kind:
            return kind == "STRING"
        source = self._graph.nodes[link.node]
        return bool(re.search(r"string|primitive|text(?!.?encode)|prompt(?!.?encode)|styler", source.kind)) and not any(
            "clip" in name for name in source.inputs
        )

    def _fields(self, node: Node, *, encodes: bool) -> Group | None:
        """Return the literals behind a node's text fields, those for this role first; None if it has no such field."""
        names = [name for name in node.inputs if is_wordy(self.lens, node, name)]
        own = [name for name in names if side_of(name) == self.role]
        if own:
            return self._literals(node, own)
        if self.role == NEGATIVE and any(side_of(name) == POSITIVE for name in names):
            return ()
        names = [name for name in names if side_of(name) != self._other]
        found = (encodes and encoded(self.lens, node, names)) or asked(names)
        self.ambiguous |= bool(found) and "lyrics" in node.inputs
        return self._literals(node, found) if found else None

    def _literals(self, node: Node, names: Sequence[str]) -> Group:
        places: list[Place] = []
        for name in names:
            if (link := self._graph.link(node.inputs[name])) is None:
                places.append(Place(node.id, name))
            else:
                places += self._chosen(list(self._strings(link, set())))
        return tuple(dict.fromkeys(places))

    def _strings(self, link: Link, seen: set[str]) -> Iterator[Place]:
        """Yield the literals that a string is made of."""
        node = self._graph.nodes[link.node]
        if node.id in seen:
            return
        seen.add(node.id)
        self.ambiguous |= bool(_WRITES.search(node.class_type))
        quiet = self.lens.shows(node) or self.lens.captions(node) or "regex" in node.kind
        names = self._string_inputs(node)
        literals = [
            name for name in names if isinstance(value := node.inputs[name], str) and not _is_option(name, value)
        ]
        literals = [] if quiet else typed(self.lens, node, literals)
        if len(literals) > link.slot and self._is_store(node, literals):
            literals = [literals[link.slot]]
        for name in names:
            if name in literals:
                yield Place(node.id, name)
            elif (source := self._graph.link(node.inputs[name])) and self.lens.carries_text(name, source):
                yield from self._strings(source, seen)

    def _is_store(self, node: Node, names: Sequence[str]) -> bool:
        """Tell a node that keeps several texts of one name (text, text_b) and gives each by an output of its own."""
        alike = len({re.sub(r"_([a-z]|\d+)$", "", name) for name in names}) == 1
        slots = {link.slot for user in self._graph.nodes.values() for _, link in self._graph.links(user)
                 if link.node == node.id}  # fmt: skip
        return alike and len(names) > 1 and max(slots, default=0) > 0

    def _string_inputs(self, node: Node) -> list[str]:
        """Return the inputs that a string node makes its output of."""
        if (branch := active_branch(self._graph, node)) is not None:
            return [branch]
        names = list(node.inputs)
        if own := [name for name in names if side_of(name) == self.role]:
            return own
        if _REPLACES.search(node.class_type) or _REPLACES.search(str(node.inputs.get("action", ""))):
            return [name for name in names if self._graph.link(value := node.inputs[name])
                    or (isinstance(value, str) and not _is_option(name, value))][:1]  # fmt: skip
        return [name for name in names if side_of(name) != self._other]

    def _chosen(self, places: list[Place]) -> list[Place]:
        """Keep the one literal that is most likely the member's; several make the template ambiguous."""
        filled = [place for place in places if str(self._graph.value(place)).strip()]
        candidates = filled or places
        if len(candidates) > 1:
            self.ambiguous = True
            candidates = [max(candidates, key=self._rank)]
        return candidates

    def choose(self, groups: list[Group]) -> Group:
        """Keep one encoder's literals of several that join in one sampler."""
        filled = [group for group in groups if any(str(self._graph.value(place)).strip() for place in group)]
        candidates = filled or groups
        if len(candidates) > 1:
            self.ambiguous = True
        return max(candidates, key=lambda group: max(map(self._rank, group)), default=())

    def _rank(self, place: Place) -> tuple[int, int]:
        words, title = str(self._graph.value(place)), self._graph.nodes[place.node].title
        points = 4 * bool(_PLACEHOLDER.search(words)) + 2 * bool(_TITLE_FOR.search(title))
        points -= 2 * bool(_TITLE_AGAINST.search(title)) + bool(_QUALITY_TAGS.search(words))
        points -= 4 * bool(_ONLY_LORA.match(words))
        return points, len(words)


def _is_option(name: str, value: str) -> bool:
    """Tell a setting of a string node from a text that somebody typed."""
    return bool(NOT_TYPED.search(name)) or value.strip().lower() in _OPTIONS


def _distinct(groups: list[Group]) -> list[Group]:
    return list(dict.fromkeys(group for group in groups if group))


def titled(graph: Graph, role: str) -> Group:
    """Return the encoders of a graph without links that say by title or text which role they are for."""
    found: list[Place] = []
    for node in graph.nodes.values():
        for name in ("text", "prompt"):
            words = node.inputs.get(name)
            if isinstance(words, str):
                is_negative = NEGATIVE in f"{node.title} {words}".lower()
                if is_negative == (role == NEGATIVE):
                    found.append(Place(node.id, name))
    return tuple(found)
