"""The style sheet holds the tokens of both schemes."""

import pytest

from corelab.figures.tokens import SCHEMES, compute_contrast
from dashboards.theme import build_theme_css


@pytest.mark.parametrize("scheme", SCHEMES)
def test_build_theme_css__has_every_colour_of_a_scheme(scheme):
    rule = next(line for line in build_theme_css().splitlines() if f'scheme="{scheme}"' in line)

    assert f"--body:{SCHEMES[scheme].body};" in rule
    assert f"--car-t:{SCHEMES[scheme].car_t};" in rule
    assert f"--mantine-color-text:{SCHEMES[scheme].ink}" in rule


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("role", ["ok", "warn", "fail", "ink", "ink_2", "muted"])
def test_chips__can_be_read(scheme, role):
    tokens = SCHEMES[scheme]

    assert compute_contrast(getattr(tokens, role), tokens.body) >= 4.5


@pytest.mark.parametrize("scheme", SCHEMES)
def test_primary_button__can_be_read(scheme):
    assert compute_contrast(SCHEMES[scheme].action, SCHEMES[scheme].body) >= 4.5
