"""How the embedded models and their recorded study are made: the makers' commands, outside the wheel.

`python -m training.train --shape seedling --out DIR` trains a model from its seed, `python -m training.student --teacher DIR
--base DIR --out DIR` distils the student and trains its control, `python -m training.record_study --db FILE` writes a finished
study to benchmarks/pocket/study.json. `make pocket` runs the first two in order.
"""
