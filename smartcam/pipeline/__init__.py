"""The only place that knows all the stages: the daemon, and the same stages on a recording."""
