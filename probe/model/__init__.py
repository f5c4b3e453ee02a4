"""Values and judge(); nothing here reads a file or opens a socket."""
