"""One file per table of the path: a pure function, then its Stage."""
