"""The models in ciw: its own nodes, its own shortest queue, its own processor sharing."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import ciw


class LeastLoaded(ciw.routing.JoinShortestQueue):  # type: ignore[misc]
    """The queue with the fewest requests, those in service among them; ciw counts only waiting."""

    def get_queue_size(self, node_index: int) -> int:
        """Return the number of requests at a node."""
        found: int = self.simulation.nodes[node_index].number_of_individuals
        return found


def _gaps(times_s: list[float]) -> list[float]:
    # After the last one: ciw goes through a sequence again and again.
    return [*(b - a for a, b in pairwise([0.0, *times_s])), 1e12]


def queues(given: dict[str, Any]) -> list[float]:
    """Return the wait of each request; each joins the least loaded of the queues."""
    arrivals, services = given["arrivals_s"], given["services_s"]
    sequential, many = ciw.dists.Sequential, len(services)
    if many == 1:
        network = ciw.create_network(
            arrival_distributions=[sequential(_gaps(arrivals))],
            service_distributions=[sequential(services[0])],
            number_of_servers=[1],
        )
    else:
        # As in ciw's guide: a node of no service time, from which requests join a queue.
        routers = [LeastLoaded(list(range(2, many + 2)), tie_break="order")]
        routers += [ciw.routing.Leave() for _ in services]
        network = ciw.create_network(
            arrival_distributions=[sequential(_gaps(arrivals)), *[None] * many],
            service_distributions=[ciw.dists.Deterministic(0.0), *map(sequential, services)],
            number_of_servers=[float("inf"), *[1] * many],
            routing=ciw.routing.NetworkRouting(routers=routers),
        )
    simulation = ciw.Simulation(network)
    simulation.simulate_until_max_customers(len(arrivals))
    first = 1 if many == 1 else 2
    records = [one for one in simulation.get_all_records() if one.node >= first]
    records.sort(key=lambda one: one.id_number)
    return [one.waiting_time for one in records]


def flows(given: dict[str, Any]) -> list[float]:
    """Return the time of each flow over one link: a node of processor sharing."""
    starts = given["starts_s"]
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Sequential(_gaps(starts))],
        service_distributions=[ciw.dists.Deterministic(given["size"] / given["capacity"])],
        number_of_servers=[float("inf")],
        ps_thresholds=[1],
    )
    simulation = ciw.Simulation(network, node_class=ciw.PSNode)
    simulation.simulate_until_max_customers(len(starts))
    records = sorted(simulation.get_all_records(), key=lambda one: one.id_number)
    return [one.exit_date - one.arrival_date for one in records]
