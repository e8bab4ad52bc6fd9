"""A deterministic simulator of the runner: the real code on a virtual clock, everything around it drawn from one seed."""
