"""Stand-ins for Discord and ComfyUI, and the page: the way to try Easel without a token and without a GPU."""
