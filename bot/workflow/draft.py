"""What was found in a workflow, for people and scripts: `easel inspect` and the draft of a manifest. Pure."""

from typing import Any

import tomlkit

from bot.workflow.options import Option
from bot.workflow.roles import Roles
from bot.workflow.template import Template


def roles_json(roles: Roles) -> dict[str, Any]:
    """Return the roles as `easel inspect --json` prints them (DESIGN §6)."""
    return {
        "positive": roles.positive,
        "negative": roles.negative,
        "seeds": roles.seeds,
        "size": [place for size in roles.sizes for place in (size.width, size.height)],
        "images": roles.images,
        "masks": roles.masks,
        "outputs": roles.outputs,
        "models": roles.models,
        "ambiguous": roles.ambiguous,
    }


def draft(template: Template) -> str:
    """Return a manifest that says all that was found, for the owner to edit."""
    document = tomlkit.document()
    document.add(tomlkit.comment("Written by `easel inspect --write-manifest`. Everything may be changed or left out."))
    for doubt in template.roles.ambiguous:
        document.add(tomlkit.comment(f"Please look: {doubt}."))
    document["title"] = template.title[:100]
    document["description"] = f"Make something with {template.title}."[:100]
    if template.command:
        document["command"] = template.command
    document["outputs"] = list(template.roles.outputs)
    options = tomlkit.table(is_super_table=True)
    for option in template.options:
        options[option.name] = _option(option)
    document["options"] = options
    return tomlkit.dumps(document)


def _option(option: Option) -> Any:
    table = tomlkit.table()
    table["places"] = [[*place] for place in option.places]
    table["role"] = option.role
    facts = {"required": option.required or None, "min": option.minimum, "max": option.maximum}
    for name, value in facts.items():
        if value is not None:
            table[name] = int(value) if not isinstance(value, bool) and value == int(value) else value
    return table
