"""Laws of `ezra.sansio.commands`."""
