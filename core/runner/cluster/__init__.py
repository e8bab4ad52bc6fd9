"""Engines and compressions on the machines of a Ray cluster: Ray places the work, the runner alone writes the store.

The runner itself never imports Ray. For every process on the cluster it starts a *relay* (`relay.py`), a child like any other:
it asks Ray for an actor with GPUs and processors (`seat.py`), which starts the process on its node, and carries lines between
the two. What ends a child ends the relay, and with the relay Ray ends the actor, and with the actor its process ends.
"""
