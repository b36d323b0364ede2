"""A stand-in Discord on loopback: REST, gateway and CDN for the real discord.py, a control side for the page and tests.

It imports nothing from the rest of Easel, and is held against Discord's own OpenAPI file by a test.
"""
