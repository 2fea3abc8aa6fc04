"""What options of several verbs may be; here, so that their --help needs no TensorFlow."""

VIEW_COUNTS = (1, 9, 10)  # see data/views
CHECKPOINTS = ("newest", "best")  # best: of the lowest top-1 error of validation
CHECKPOINT_HELP = "of the run: the newest, or that of the lowest validation error; default: newest"
WEIGHTS = ("float32", "float16", "bfloat16")  # how an export stores them; computing is in float32
