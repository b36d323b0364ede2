"""A stand-in ComfyUI: the event grammar, answers and timing traits of a real 0.33.0, and pictures drawn by Pillow.

It imports nothing from the rest of Easel: a stand-in that shared the client's parser would share its mistakes.
"""
