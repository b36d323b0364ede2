"""Easel: slash commands to pictures, through a community's own ComfyUI servers."""

__version__ = "0.1.0"
