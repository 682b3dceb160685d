"""One picture of a run: the ratio to the best peer of each shape, above or below 1."""

from .grid import CELLS

_COLOURS = {"rnn": "#2a6f97", "lstm": "#c1440e", "gru": "#5a8f29"}


def draw(document, path):
    """Write a PNG, or return why there is none."""
    try:
        import matplotlib
    except ImportError as error:
        return f"no chart: {error}"
    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = [row for row in document["rows"] if row["kind"] == "layer" and row["ratio"]]
    if not rows:
        return "no chart: no row has both fastrnn and a peer"
    panels = sorted({(row["dtype"], row["work"], row["threads"]) for row in rows})
    shapes = list(dict.fromkeys((row["n_x"], row["n_a"], row["m"]) for row in rows))
    labels = [f"{n_x if n_x == n_a else f'{n_x}→{n_a}'}, {m}" for n_x, n_a, m in shapes]
    figure, axes = pyplot.subplots(len(panels), 1, figsize=(max(7, 0.32 * len(shapes) + 2), 2.3 * len(panels) + 1),
                                   sharex=True, squeeze=False, layout="constrained")  # fmt: skip
    for axis, panel in zip(axes[:, 0], panels):
        for offset, cell in zip((-0.2, 0, 0.2), CELLS):
            found = [row for row in rows if row["cell"] == cell and (row["dtype"], row["work"], row["threads"]) == panel]
            places = [shapes.index((row["n_x"], row["n_a"], row["m"])) + offset for row in found]
            axis.vlines(places, 1, [row["ratio"] for row in found], color=_COLOURS[cell], linewidth=1)
            axis.plot(places, [row["ratio"] for row in found], "o", color=_COLOURS[cell], markersize=4, label=cell)
        axis.axhline(1, color="black", linewidth=0.8)
        axis.set_yscale("log", base=2)
        axis.yaxis.set_major_formatter("{x:g}×")
        axis.grid(axis="y", linewidth=0.3)
        axis.set_title(f"{panel[1]}, {panel[0]}, {panel[2]} thread{'s' * (panel[2] > 1)}", fontsize=9, loc="left")
        axis.tick_params(axis="x", length=0)
    axes[0, 0].legend(fontsize=8, ncols=3)
    axes[-1, 0].set_xticks(range(len(shapes)), labels, rotation=90, fontsize=7)
    axes[-1, 0].set_xlabel("n, m (n_x→n_a where they differ)", fontsize=8)
    figure.suptitle("How many times faster than the best peer of each shape (below 1: slower)", fontsize=10)
    figure.savefig(path, dpi=130)
    pyplot.close(figure)
    return None
