"""The laws of the pure queue: a file for each file of `ezra.sansio.queue`."""
