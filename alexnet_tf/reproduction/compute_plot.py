"""Error against compute: every network that was trained on a dataset, and the claims of scale."""

from __future__ import annotations

from matplotlib.figure import Figure

from alexnet_tf.figures.page import GREY, INK, PALE, page
from alexnet_tf.reproduction.compute import Compute
from alexnet_tf.reproduction.plot import COLORS


def compute_plot(compute: Compute) -> Figure:
    """A grey point for each network, a line through the arms of each trend, a dotted line at what
    is no network; to be made within `figures.page.style`."""
    figure = page(7.5, 4.5)
    axes = figure.subplots()
    named = {arm for arms in compute.trends.values() for arm in arms}
    for identity, network in compute.networks.items():
        if identity not in named:
            axes.plot(network.operations, network.error, "o", color=GREY, alpha=0.5, markersize=4)
    for number, (claim, arms) in enumerate(compute.trends.items()):
        networks = [compute.networks[arm] for arm in arms]
        places = [network.operations for network in networks]
        look = {"color": COLORS[number % len(COLORS)], "marker": "o", "markersize": 5}
        axes.plot(places, [network.error for network in networks], label=claim, **look)
        for network in networks:
            look |= {"markersize": 3, "linewidth": 0, "alpha": 0.5}
            axes.plot([network.operations] * len(network.errors), network.errors, **look)
    for name, error in compute.others.items():
        axes.axhline(error, color=INK, linewidth=0.8, linestyle=":")
        axes.annotate(name, (0.01, error), (0, 3), ("axes fraction", "data"), "offset points")
    axes.plot([], [], "o", color=GREY, alpha=0.5, markersize=4, label="other networks")
    axes.set_xscale("log")
    axes.set(xlabel="operations of the training", ylabel="top-1 error, one view")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.grid(axis="both", color=PALE)
    axes.set_axisbelow(True)
    axes.legend(fontsize=8)
    return figure
