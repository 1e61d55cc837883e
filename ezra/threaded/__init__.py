"""One driver for the core: a thread for each connection, and engines that keep the tasks."""
