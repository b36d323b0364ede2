"""The root of every fault Easel expects.

    EaselError                expected: the edge has words for it
    ├── SettingsError         an operator's setting is wrong (exit code 2)
    ├── RequestError          what a member asked for cannot be done
    ├── bot.comfy.errors.ComfyError
    └── bot.workflow.graph.GraphError

Whatever else is raised is a bug: it gets a reference number and goes to the log in full.
"""

import secrets


class EaselError(Exception):
    """An expected fault. `facts` are what the edge may put into words; they never hold secrets."""

    def __init__(self, message: str = "", /, **facts: object) -> None:
        super().__init__(message or type(self).__name__)
        self.facts: dict[str, str] = {name: str(value) for name, value in facts.items()}


class SettingsError(EaselError):
    """Settings cannot be used; `faults` holds one readable line for each, none with a secret in it."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class RequestError(EaselError):
    """A member's request cannot be done as asked; `key` is the catalogue key of the words for it."""

    def __init__(self, key: str, /, **facts: object) -> None:
        super().__init__(key, **facts)
        self.key = key


def new_reference() -> str:
    """Return a short number that ties a member's message to a line of the log."""
    return secrets.token_hex(3).upper()
