"""`python -m eventimport.cli`: how `eventimport dev` starts its children."""

from eventimport.cli import main

main()
