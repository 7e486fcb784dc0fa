"""docs/settings.md: every setting is told with what it means, no secret with a default, and no other page
names a variable that does not exist.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from chassis.config import Secret, rules_of, setting
from docs import settings
from gateway.config import GatewayConfig
from stack.variables import VARIABLES

VARIABLE = re.compile(r"\bPARLEY_[A-Z0-9_]*[A-Z0-9]\b")
SECRET_DEFAULT = "changeme-changeme"
# Set by the stack for its processes, or read by tests.
INTERNAL = {"PARLEY_STACK_MEMBER", "PARLEY_TEST_APERTIUM"}
PLACES = ("README.md", "docker-compose.yml", "Dockerfile", "docs/architecture.md", "docs/performance.md")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WithSecrets:
    key: Secret = setting(Secret(SECRET_DEFAULT), about="One.")
    keys: tuple[Secret, ...] = setting((Secret(SECRET_DEFAULT),), about="Several.")
    limit_bytes: int = setting(1, about="A limit.", minimum=1, maximum=16_777_216)
    needed: str = setting(about="Needed.")


@pytest.mark.parametrize("config", [*settings.SERVICES.values(), GatewayConfig])
def test_every_setting_says_what_it_decides(config: type[GatewayConfig]) -> None:
    silent = [field.name for field in dataclasses.fields(config) if not rules_of(field).about.endswith(".")]
    assert silent == []


def test_a_row_shows_bounds_unit_and_need_and_never_a_secret() -> None:
    key, keys, limit, needed = settings.rows(WithSecrets, "probe")
    assert SECRET_DEFAULT not in key + keys
    assert key == "| `PARLEY_PROBE_KEY` | a secret | — | One. |\n"
    assert limit.startswith(
        "| `PARLEY_PROBE_LIMIT_BYTES` | a whole number of bytes from 1 to 16777216 | `1` |"
    )
    assert needed == "| `PARLEY_PROBE_NEEDED` | text | **required** | Needed. |\n"


def test_each_variable_of_each_process_has_one_row() -> None:
    _, *sections = settings.render().split("\n## ")
    tables = dict(section.split("\n", 1) for section in sections)
    for name, config in {**settings.SERVICES, "gateway": GatewayConfig}.items():
        for field in dataclasses.fields(config):
            own = tables[name].count(f"| `PARLEY_{name.upper()}_{field.name.upper()}` |")
            common = tables["Every service"].count(f"| `PARLEY_<SERVICE>_{field.name.upper()}` |")
            assert own + (name != "gateway" and common) == 1, field.name


def test_no_page_names_a_variable_that_nothing_reads(repository: Path) -> None:
    known = set(INTERNAL)
    for name, config in {**settings.SERVICES, "gateway": GatewayConfig}.items():
        for field in dataclasses.fields(config):
            known |= {f"PARLEY_{name.upper()}_{field.name.upper()}", f"PARLEY_{field.name.upper()}"}
        known.add(f"PARLEY_{name.upper()}_TARGET")
    known |= {variable.name for variable in VARIABLES}
    named = {
        variable
        for place in PLACES
        for variable in VARIABLE.findall((repository / place).read_text(encoding="utf-8"))
    }
    assert len(named) > 20
    assert {one for one in named if not {one, one.removesuffix("_FILE")} & known} == set()
