"""`python -m probe`: the command line, for machines where the script is not on the path."""

from probe.cli.main import main

raise SystemExit(main())
