"""What went wrong, as one sentence for a person, and the exit code that goes with it."""


class SmartcamError(Exception):
    """Something failed. The message is one sentence that says what, where and what to do."""

    exit_code = 1


class Unavailable(SmartcamError):
    """A thing that is needed is not there now: a camera, a broker, an accelerator, a download (EX_UNAVAILABLE)."""

    exit_code = 69


class BadConfig(SmartcamError):
    """A configuration, a model or a label file cannot be used as it is (EX_CONFIG)."""

    exit_code = 78
