"""Lines that mean an option of the template, not Easel's own."""

from dataclasses import replace

from bot.model.request import Request
from bot.model.style import Style
from bot.workflow.options import Kind, Option
from bot.workflow.tweaks import Names, changed, lines_of
from tests.workflow.test_build import SHIPPED, request


def test_an_option_called_style_is_the_templates_own() -> None:
    """Where a template has an option `style`, the line sets it, and Easel's style is not written there."""
    base = SHIPPED["sd15"]
    own = Option(name="style", kind=Kind.TEXT, role="", places=(base.roles.seeds[0],), choices=("anime", "photo"))
    template = replace(base, options=(*base.options, own))
    made: Request = request(template="sd15", values={"style": "anime"}, style=Style(name="ink"))
    lines = lines_of(template, made, {}, Names())
    assert lines["style"] == "anime"
    assert changed(made, template, {"style": "photo"}, Names()).values == {"style": "photo"}
