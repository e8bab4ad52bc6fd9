"""The tables of Scores and Lengths: each view says how its records are computed, shown, sorted and followed."""
