"""Both kinds of AWS: a test of the simulated services runs on each."""

import pytest

from aws import Place
from simulation.places import SimulatedPlace

TWO = ("simulated", "local")


@pytest.fixture(params=TWO)
def place(request) -> Place:
    return SimulatedPlace() if request.param == "simulated" else Place(request.getfixturevalue("server"))
