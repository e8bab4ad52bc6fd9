"""Grades of finished outputs, when they end and again after a grader's rules have changed."""
