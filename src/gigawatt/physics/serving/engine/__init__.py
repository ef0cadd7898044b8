"""One replica of an engine: its layout and memory, its kernels and messages, the seconds of a step and of a prompt."""
