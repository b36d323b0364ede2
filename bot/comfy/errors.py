"""What can go wrong with a ComfyUI server, each with its facts.

ComfyError
├── Unreachable        no connection, or no answer in time
├── SocketLost         the event socket broke; the job itself may go on
├── Malformed          the server answered with something ComfyUI never says
├── ServerFault        a 5xx, or a status that this request never has
├── Rejected           the graph was refused (400, or 200 with node_errors)
├── ExecutionFailed    a node raised
│   └── OutOfMemory
├── Interrupted        somebody interrupted the prompt
├── Vanished           the server knows the prompt no more: restarted, or the prompt was deleted
├── PictureLost        the pictures went out as frames on a socket that broke
├── NoPicture          the prompt ended well and made no file
├── Stuck              the prompt runs and says nothing: the server's worker is taken for dead
└── TimedOut           the prompt ran longer than allowed
"""

from dataclasses import dataclass

from bot.errors import EaselError


class ComfyError(EaselError):
    """Root of all faults of a ComfyUI server."""


class Unreachable(ComfyError):
    """No connection could be made, or no answer came in time. Fact: reason."""


class SocketLost(ComfyError):
    """The event socket was closed or broke. Fact: reason."""


class Malformed(ComfyError):
    """An answer that ComfyUI never gives; perhaps something else listens at this address. Fact: what."""


class ServerFault(ComfyError):
    """The server answered with an error of its own. Facts: status, path, text (cut)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFault:
    """One entry of `node_errors` (shared facts, ComfyUI §4)."""

    node_id: str
    class_type: str
    kind: str
    input_name: str
    details: str


class Rejected(ComfyError):
    """The graph was refused, in whole or in part. Facts: kind, message, node, input, details."""

    def __init__(self, kind: str, message: str, nodes: tuple[NodeFault, ...] = ()) -> None:
        first = nodes[0] if nodes else NodeFault(node_id="", class_type="", kind=kind, input_name="", details=message)
        super().__init__(
            f"{kind}: {message}",
            kind=first.kind,
            message=message,
            node=first.class_type or first.node_id,
            input=first.input_name,
            details=first.details,
        )
        self.nodes = nodes


class ExecutionFailed(ComfyError):
    """A node raised. Facts: node, node_type, kind (the exception's type), message (server's words: never show them)."""


class OutOfMemory(ExecutionFailed):
    """A node could not get the memory it wanted. Facts as ExecutionFailed."""


class Interrupted(ComfyError):
    """The prompt was interrupted on the server."""


class Vanished(ComfyError):
    """The prompt is neither queued, running nor in the history."""


class PictureLost(ComfyError):
    """Pictures were sent as frames while nobody listened; a new attempt makes them again."""


class NoPicture(ComfyError):
    """The prompt ended well without any file."""


class Stuck(ComfyError):
    """The server shows the prompt as running, and said nothing of it for very long (facts G4). Fact: minutes."""


class TimedOut(ComfyError):
    """The prompt ran past its limit. Fact: minutes."""
