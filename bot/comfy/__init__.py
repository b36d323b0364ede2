"""One ComfyUI server: its protocol as values, its faults as errors. No Discord, no queue, no database."""
