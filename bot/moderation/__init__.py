"""What may be asked for and what may be shown: the checks behind the gate. A check that fails refuses."""
