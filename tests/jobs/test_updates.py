"""Events → what the reply shows."""

from bot.comfy.events import ComfyEvent, Executing, ExecutionStart, ExecutionSuccess, Picture, Progress, Unknown
from bot.jobs.updates import Tracker
from bot.model.job import Loading, Preparing, Sampling, Saving, Working
from bot.workflow.graph import parse_graph
from tests.workflow.graphs import node, txt2img


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def tick(value: float, maximum: float = 20, name: str = "3") -> Progress:
    return Progress(prompt_id="p", node=name, value=value, maximum=maximum)


def at(name: str) -> Executing:
    return Executing(node=name, prompt_id="p")


def test_the_way_of_a_job() -> None:
    """Loading, working, steps with pace and rest, saving: each event gives the state that a member should see."""
    clock = Clock()
    graph = parse_graph(txt2img(**{"8": node("VAEDecode", "Decode it", samples=["3", 0], vae=["4", 2])}))
    tracker = Tracker(graph, clock, began=98.0)
    said: list[object] = []
    steps: list[tuple[float, ComfyEvent]] = [
        (0, ExecutionStart(prompt_id="p")), (0, at("4")), (3, at("3")), (1, tick(1)), (2, tick(3)),
        (0, at("8")), (0, at("9")), (1, ExecutionSuccess(prompt_id="p")), (0, Unknown(kind="logs")),
    ]  # fmt: skip
    for seconds, event in steps:
        clock.now += seconds
        said.append(tracker.take(event))

    assert said == [
        Working(node="", elapsed_s=2.0),
        Loading(node="CheckpointLoaderSimple", elapsed_s=2.0),
        Working(node="KSampler", elapsed_s=5.0),
        Sampling(node="KSampler", step=1, steps=20, elapsed_s=6.0),
        Sampling(node="KSampler", step=3, steps=20, elapsed_s=8.0, eta_s=17.0),
        Working(node="Decode it", elapsed_s=8.0),
        Saving(elapsed_s=8.0),
        Saving(elapsed_s=9.0),
        None,
    ]


def test_a_second_sampler_counts_for_itself() -> None:
    """Each node's steps begin anew, and so does the estimate (facts G16)."""
    clock = Clock()
    tracker = Tracker(parse_graph(txt2img()), clock, began=100.0)
    tracker.take(tick(5))
    clock.now += 10
    update = tracker.take(tick(1, name="13"))
    assert isinstance(update, Sampling)
    assert update.eta_s is None


def test_previews_ride_on_the_last_words() -> None:
    """A preview changes the picture, not the words; before any step there is none."""
    tracker = Tracker(parse_graph(txt2img()), Clock(), began=100.0)
    preview = Picture(prompt_id="p", node_id="3", mime="image/jpeg", data=b"jpeg")
    assert tracker.take(preview) is None
    tracker.take(tick(2))
    update = tracker.take(preview)
    assert isinstance(update, Sampling)
    assert (update.step, update.preview) == (2, b"jpeg")
    tracker.take(at("8"))
    assert isinstance(tracker.take(preview), Working)


def test_nodes_of_subgraphs_have_their_parents_name() -> None:
    """An id such as 8.0.0.3 is shown as node 8; single ticks are no steps; waiting on the server is told."""
    tracker = Tracker(parse_graph(txt2img()), Clock(), began=100.0)
    assert tracker.take(at("8.0.0.3")) == Working(node="VAEDecode", elapsed_s=0.0)
    assert tracker.take(tick(1, 1)) is None
    assert tracker.pending(4) == Preparing(ahead=4)
    assert tracker.saving() == Saving(elapsed_s=0.0)
