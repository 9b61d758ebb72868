"""``python -m products.for_you``."""

import sys

from products.for_you.cli import main

sys.exit(main())
