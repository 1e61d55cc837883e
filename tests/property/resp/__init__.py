"""Laws of `ezra.sansio.resp`."""
