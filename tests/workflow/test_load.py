"""What a request takes of a server, told before it is built."""

from pathlib import Path

import pytest

from bot.model.request import Request, Size
from bot.workflow.load import cost_of, models_of
from bot.workflow.template import Template, make_template, read_workflow
from tests.conftest import PROJECT


def template(name: str = "sd15", manifest: str = "", folder: Path | None = None) -> Template:
    graph = read_workflow(PROJECT / "templates" / f"{name}.json")
    toml = PROJECT / "templates" / f"{name}.toml"
    if folder is not None:
        toml = folder / f"{name}.toml"
        toml.write_text(manifest, encoding="utf-8")
    return make_template(name, graph, toml)


def request(**more: object) -> Request:
    fields = {"prompt": "x", "template": "sd15", "seed": 1, "member_id": 1, "guild_id": 1, "channel_id": 1, **more}
    return Request(**fields)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("asked", "cost"),
    [
        ({}, 1.0),
        ({"size": Size(width=1024, height=1024)}, 4.0),
        ({"size": Size(width=256, height=512)}, 0.5),
        ({"count": 3}, 3.0),
        ({"values": {"steps": 48}}, 2.0),
        ({"size": Size(width=1024, height=512), "count": 2, "values": {"steps": 12}}, 2.0),
        ({"values": {"steps": "many"}}, 1.0),
    ],
)
def test_cost_is_size_steps_and_count_beside_the_workflows_own(asked: dict[str, object], cost: float) -> None:
    """Four times the pixels, three pictures, twice the steps: so many times the cost of an ordinary picture."""
    assert cost_of(template(), request(**asked)) == pytest.approx(cost)


def test_the_manifests_cost_counts(tmp_path: Path) -> None:
    """What its owner says one run costs is multiplied; whatever is asked, it lies between bounds."""
    dear = template(manifest="cost = 5\n", folder=tmp_path)
    assert cost_of(dear, request(count=2)) == pytest.approx(10)
    huge = Size(width=2048, height=2048)
    assert cost_of(template(manifest="cost = 1000\n", folder=tmp_path), request(size=huge)) == 1000
    assert cost_of(template("upscale"), request()) == 1.0


def test_models_are_the_workflows_own_or_the_chosen_one(tmp_path: Path) -> None:
    """The checkpoint that stands in the file, unless the member chose another."""
    own = models_of(template(), request())
    assert own == {"v1-5-pruned-emaonly.safetensors"}
    chooses = template(manifest='[options.checkpoint]\nrole = "model"\n', folder=tmp_path)
    assert models_of(chooses, request(values={"checkpoint": "other.safetensors"})) == {"other.safetensors"}
