"""How the embedded models and their recorded study are made: commands of the makers, no part of the wheel."""
