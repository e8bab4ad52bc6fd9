"""The command doctor: what it looks at, and what it can mend."""
