"""What a page is made of: scripts, and the styles that it adds to those of every page."""
