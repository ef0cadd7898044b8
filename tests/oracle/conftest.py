"""What tests of engines share with tests/study/executors."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "study" / "executors"))
