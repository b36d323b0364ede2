"""From a sampler to the literal that holds a member's words, by role (rules: shared facts, workflows §4)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from bot.workflow.graph import Graph, Link, Node, Place

POSITIVE, NEGATIVE = "positive", "negative"

_BUNDLES = re.compile(r"embeds|_cond$|^cond|pipe|tuple|^context|guider|prompt", re.IGNORECASE)
_NO_CONDITIONING = re.compile(
    r"model|clip|vae|image|latent|mask|control_?net|sampler|sigmas|noise|lora|insight|pixels|samples|frames|video|audio|upscale",
    re.IGNORECASE,
)
_NO_WORDS = re.compile(r"caption|tagger|interrogat|florence|describe|blip|joytag|wd14|ocr", re.IGNORECASE)
_SHOWS = re.compile(r"showtext|show text|previewany|show_any|showany|display", re.IGNORECASE)
_NOT_TYPED = re.compile(
    r"separator|delimiter|mode|style|path|font|system|find|replace|filename|prefix|method|language|model|seed|"
    r"regex|key|api|url|format|action|instruction|template|speak|output|log|control|device|type|name",
    re.IGNORECASE,
)
_PLACEHOLDER = re.compile(r"\{\{.*\}\}|^%\w+%$|PARAM_|_HERE|提示词|^\{\w+\}$")
_TITLE_FOR = re.compile(r"prompt|positive|subject|scene|提示词|input", re.IGNORECASE)
_TITLE_AGAINST = re.compile(r"style|lora|quality|suffix|trigger|constant|system|negative|prefix", re.IGNORECASE)
_QUALITY_TAGS = re.compile(r"masterpiece|best quality|highres|8k|4k|absurdres|score_\d", re.IGNORECASE)
_ONLY_LORA = re.compile(r"^\s*(<lora:[^>]*>\s*,?\s*)+$", re.IGNORECASE)

Group = tuple[Place, ...]
"""The literals of one encoder: all of them take the same words."""


@dataclass(slots=True)
class WordTrace:
    """One walk for one role through one graph."""

    graph: Graph
    role: str
    ambiguous: bool = False
    _seen: set[tuple[str, int]] = field(default_factory=set[tuple[str, int]])

    def from_sampler(self, sampler: Node) -> list[Group]:
        """Return the groups of literals that a sampler's conditioning comes from."""
        groups: list[Group] = []
        for name, link in self.graph.links(sampler):
            if name == self.role or (name not in (POSITIVE, NEGATIVE) and _BUNDLES.search(name)):
                groups += self._conditioning(link)
        return _distinct(groups or [self._fields(sampler)])

    def _conditioning(self, link: Link) -> list[Group]:
        node = self.graph.nodes[link.node]
        if (node.id, link.slot) in self._seen or "zeroout" in node.kind:
            return []
        self._seen.add((node.id, link.slot))
        if POSITIVE in node.inputs and NEGATIVE in node.inputs:
            pair = self.graph.link(node.inputs[self.role])
            return self._conditioning(pair) if pair else self._own_literal(node)
        if own := self._fields(node):
            return [own]
        groups: list[Group] = []
        for name, source in self.graph.links(node):
            other = NEGATIVE if self.role == POSITIVE else POSITIVE
            if name == self.role or (
                name != other and not (_NO_CONDITIONING.search(name) and not _BUNDLES.search(name))
            ):
                if self.role == NEGATIVE and name == "conditioning" and "guider" in node.kind:
                    continue  # a guider with one conditioning has no negative
                groups += self._conditioning(source)
        return groups

    def _own_literal(self, node: Node) -> list[Group]:
        value = node.inputs[self.role]
        return [(Place(node.id, self.role),)] if isinstance(value, str) else []

    def _fields(self, node: Node) -> Group:
        """Return the literals behind a node's text fields, those for this role first."""
        role, other = self.role, NEGATIVE if self.role == POSITIVE else POSITIVE
        names = [name for name, value in node.inputs.items() if self._is_wordy(value)]
        own = [name for name in names if role in name.lower() and not _NOT_TYPED.search(name)]
        if own:
            return self._literals(node, own)
        if any(other in name.lower() for name in names) and role == NEGATIVE:
            return ()
        for wanted in (("text_g", "text_l"), ("clip_l", "t5xxl"), ("text",), ("prompt",), ("tags",), ("string",)):
            if found := [name for name in wanted if name in names]:
                return self._literals(node, found)
        return self._literals(node, [name for name in names if re.fullmatch(r"(text|prompt)_?\w{0,3}", name.lower())])

    def _is_wordy(self, value: object) -> bool:
        return isinstance(value, str) or self.graph.link(value) is not None

    def _literals(self, node: Node, names: list[str]) -> Group:
        places: list[Place] = []
        for name in names:
            if (link := self.graph.link(node.inputs[name])) is None:
                places.append(Place(node.id, name))
            else:
                places += self._chosen(list(self._strings(link, set())))
        return tuple(dict.fromkeys(places))

    def _strings(self, link: Link, seen: set[str]) -> Iterator[Place]:
        """Yield the literals that a string is made of."""
        node = self.graph.nodes[link.node]
        if node.id in seen or _NO_WORDS.search(node.class_type):
            return
        seen.add(node.id)
        names = list(node.inputs)
        if (branch := self._active_branch(node)) is not None:
            names = [branch]
        else:
            own = [name for name in names if self.role in name.lower()]
            names = own or names
        for name in names:
            value = node.inputs[name]
            if (source := self.graph.link(value)) is not None:
                if not _NO_CONDITIONING.search(name):
                    yield from self._strings(source, seen)
            elif isinstance(value, str) and not _SHOWS.search(node.class_type) and not _NOT_TYPED.search(name):
                yield Place(node.id, name)

    def _active_branch(self, node: Node) -> str | None:
        """Return the input that a constant switch lets through, or None if this is no such switch."""
        for name in ("switch", "boolean", "cond", "condition"):
            chosen = node.inputs.get(name)
            if isinstance(chosen, bool):
                wanted = (
                    ("on_true", "true", "if_true", "tt_value")
                    if chosen
                    else ("on_false", "false", "if_false", "ff_value")
                )
                return next((branch for branch in wanted if branch in node.inputs), None)
        return None

    def _chosen(self, places: list[Place]) -> list[Place]:
        """Keep the one literal that is most likely the member's; several make the template ambiguous."""
        filled = [place for place in places if str(self.graph.value(place)).strip()]
        candidates = filled or places
        if len(candidates) > 1:
            self.ambiguous = True
            candidates = [max(candidates, key=self._rank)]
        return candidates

    def choose(self, groups: list[Group]) -> Group:
        """Keep one encoder's literals of several that join in one sampler."""
        filled = [group for group in groups if any(str(self.graph.value(place)).strip() for place in group)]
        candidates = filled or groups
        if len(candidates) > 1:
            self.ambiguous = True
        return max(candidates, key=lambda group: max(map(self._rank, group)), default=())

    def _rank(self, place: Place) -> tuple[int, int]:
        words, title = str(self.graph.value(place)), self.graph.nodes[place.node].title
        points = 4 * bool(_PLACEHOLDER.search(words)) + 2 * bool(_TITLE_FOR.search(title))
        points -= 2 * bool(_TITLE_AGAINST.search(title)) + bool(_QUALITY_TAGS.search(words))
        points -= 4 * bool(_ONLY_LORA.match(words))
        return points, len(words)


def _distinct(groups: list[Group]) -> list[Group]:
    return list(dict.fromkeys(group for group in groups if group))
