"""The scheduled audit: when runs are made, who is told, and the pages to look at."""
