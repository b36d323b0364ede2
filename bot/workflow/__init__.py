"""Graphs as values: reading them, finding what their inputs are for, filling them in. No network."""
