"""The scripts are modules in scripts/, not a package: this puts them where the tests can import them."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
