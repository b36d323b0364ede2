"""Commands and buttons: parse, call one service, answer. The tuple names them all, so a missing one is an error."""

EXTENSIONS = (
    "cogs.imagine",
    "cogs.queue",
    "cogs.guide",
    "cogs.buttons",
    "cogs.remix",
    "cogs.recipe",
    "cogs.shelf",
    "cogs.stats",
    "cogs.enhance",
    "cogs.server",
    "cogs.models",
    "cogs.settings",
    "cogs.words",
    "cogs.mod",
    "cogs.cases",
    "cogs.people",
    "cogs.templates",
)
