"""Lists that are narrowed by their address, kept as views and taken away as files; `registry` knows all of them."""
