"""What a model sees in a frame: model files, their output layouts, the interpreter in its child process, motion."""
