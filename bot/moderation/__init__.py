"""The gate: what members may ask for and may be shown."""
