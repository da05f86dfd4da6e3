"""The shops: pages are read by pure functions, spiders walk, a pipeline keeps what is found."""
