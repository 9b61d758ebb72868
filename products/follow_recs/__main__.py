"""``python -m products.follow_recs``."""

import sys

from products.follow_recs.cli import main

sys.exit(main())
