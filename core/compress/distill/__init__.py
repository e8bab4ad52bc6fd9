"""Distillation from a teacher's stored answers."""
