"""``docs/benchmarks_deep.md``: deep fair clustering against published results and against its parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.claims import Rows, Verdict, promise_rows
from benchmarks.deep import DEEP_DATA, METHODS, PAPER_FAIR_EPOCHS, SMALL, TABLES, UNSEEN, UNSEEN_TABLES
from benchmarks.deep_maps import draw_maps
from benchmarks.harness import Row

__all__ = ["judge", "write"]

BLUE, RED, GREY, GREEN = "#1f6f8b", "#d1603d", "#888888", "#5aa469"
LEAST_SEEDS = 3
RIVALS = ("kmeans", "fair_kmeans")
WORDS = {
    "best": "`best`",
    "paper": "`paper`: DFDC ([search](deep.md#the-search-for-paper))",
    "imsat": "IMSAT: `paper` before its fair stage",
    "best_without_images": f"`best` without image augmentation, {SMALL:,} images",
    "kmeans": "k-means, raw features",
    "fair_kmeans": "fair k-means, raw features",
}
TITLES = {
    "mnist_usps": "MNIST-USPS", "reverse_mnist": "Reverse-MNIST", "har": "HAR (features recomputed)",
    "census": "Census", "bank": "Bank", "credit": "Credit", UNSEEN: "Reverse-Fashion-MNIST, unseen",
    "compas": "COMPAS, unseen", "german_credit": "German credit, unseen",
}  # fmt: skip
# Acc, NMI and balance as printed: Zhang & Davidson's arXiv version, FCMI's repository (one seed)
PUBLISHED = {
    "mnist_usps": {
        "IMSAT (printed)": (0.804, 0.787, 0.0),
        "DFDC (printed)": (0.936, 0.876, 0.119),
        "FCMI (printed)": (0.967, 0.918, 0.107),
    },
    "reverse_mnist": {
        "IMSAT (printed)": (0.525, 0.630, 0.0),
        "DFDC (printed)": (0.589, 0.690, 0.946),
        "FCMI (printed)": (0.884, 0.864, 0.995),
    },
    "har": {"IMSAT (printed)": (0.812, 0.803, 0.0), "DFDC (printed)": (0.862, 0.845, 0.468)},
}
# least means of Acc, NMI and balance: of the network's labels, and of the exactly fair ones
WANTED = {
    "mnist_usps": ((0.970, 0.925, 0.105), (0.965, 0.915, 0.1213)),
    "reverse_mnist": ((0.965, 0.930, 0.990), (0.965, 0.930, 0.999)),
    "har": ((0.850, 0.830, 0.300), (0.800, 0.0, 0.0)),
}
PRINTED_TABLES = {"census": (0.620, 0.492), "bank": (0.645, 0.189), "credit": (0.690, 0.856)}
MEASURES = ("accuracy", "nmi", "balance")
MOST_CPU_SECONDS, MOST_EPOCH_SECONDS, MOST_FAIR_SHARE = 900.0, 35.0, 0.02


# ---- promises


def reached(dataset: str, whose: int) -> Callable[[Rows], Verdict | None]:
    """Whether the means over seeds are as good as promised."""

    def verdict(rows: Rows) -> Verdict | None:
        found = _fits(rows, dataset, "best")
        if len(found) < LEAST_SEEDS:
            return None
        means = [np.mean(_values(found, ("network", "fair")[whose], name)) for name in MEASURES]
        wanted = WANTED[dataset][whose]
        words = " / ".join(f"{mean:.4f}" for mean in means) + f", {len(found)} seeds"
        kept = all(mean >= least for mean, least in zip(means, wanted, strict=True))
        if whose:
            kept = kept and all(row["result"]["violation"] == 0 for row in found)
        return Verdict(words, kept)

    return verdict


def same_without_attribute(rows: Rows) -> Verdict | None:
    found = [row for data in ("mnist_usps", "reverse_mnist") for row in _fits(rows, data, "best")]
    apart = [row["result"]["network"]["accuracy"] - row["result"]["test"]["accuracy"] for row in found]
    return Verdict(f"at most {max(apart):.4f} less", max(apart) <= 0.01) if found else None


def affordable(rows: Rows) -> Verdict | None:
    found = _fits(rows, "mnist_usps", "best")
    if not found:
        return None
    cpu = max(row["result"]["cpu_seconds"] for row in found)
    epoch = max(_epoch_cpu_seconds(row["result"]) for row in found)
    share = max(max(_fair_shares(row), default=0.0) for row in found)
    words = f"fit {cpu / 60:.1f} CPU minutes, epoch {epoch:.0f} CPU seconds, fair step {share:.2%} of it"
    kept = cpu <= MOST_CPU_SECONDS and epoch <= MOST_EPOCH_SECONDS and share <= MOST_FAIR_SHARE
    return Verdict(words, kept)


def cheap_with_many_groups(rows: Rows) -> Verdict | None:
    found = _fits(rows, "har", "best")
    shares = [np.median(_fair_shares(row)) for row in found]
    return Verdict(f"at most {max(shares):.1%}", max(shares) <= MOST_FAIR_SHARE) if found else None


def as_good_on_tables(rows: Rows) -> Verdict | None:
    words, kept = [], True
    for dataset, (accuracy, _) in PRINTED_TABLES.items():
        found = _fits(rows, dataset, "best")
        if len(found) < LEAST_SEEDS:
            return None
        mean = np.mean(_values(found, "fair", "accuracy"))
        short = max(row["result"]["best_balance"] - row["result"]["fair"]["balance"] for row in found)
        words.append(f"{TITLES[dataset]} {mean:.3f}, {short:.4f} below")
        kept = kept and mean >= accuracy and short <= 0.005
    return Verdict("; ".join(words), kept)


def monotone(name: str, falling: bool) -> Callable[[Rows], Verdict | None]:
    """Whether balance falls (or rises) with a parameter of `paper` on MNIST-USPS."""

    def verdict(rows: Rows) -> Verdict | None:
        varied = _varied(rows, "paper", name)
        if not varied:
            return None
        means = [np.mean(_values(found, "network", "balance")) for _, found in varied]
        steps = np.diff(means) * (-1 if falling else 1)
        words = ", ".join(f"{mean:.3f}" for mean in means) + f", {len(varied[0][1])} seeds"
        return Verdict(words, bool((steps >= -0.005).all()))

    return verdict


CLAIMS: list[tuple[str, Callable[[Rows], Verdict | None]]] = [
    *(
        (
            f"{TITLES[data]}, {('network', 'exactly fair labels')[whose]}: "
            + " / ".join(f"{value:g}" for value in WANTED[data][whose]),
            reached(data, whose),
        )
        for data in DEEP_DATA
        for whose in (0, 1)
    ),
    ("Test parts, no attribute used: accuracy within 0.01 of training", same_without_attribute),
    ("MNIST-USPS: 15 CPU minutes a fit, 35 CPU seconds an epoch, fair step 2 % of it", affordable),
    ("HAR, 30 groups: fair step 2 % of an epoch, median", cheap_with_many_groups),
    ("Tables: accuracy as printed for DFDC, balance within 0.005 of the best", as_good_on_tables),
    ("`paper`: balance falls with eps", monotone("eps", True)),
    ("`paper`: balance rises with the weight of fairness", monotone("fairness", False)),
]


def judge(results: Path) -> list[tuple[str, Verdict | None]]:
    """Every promise with its verdict; None where too little was measured."""
    rows = Rows(results / "deep.json")
    return [(promise, verdict(rows)) for promise, verdict in CLAIMS]


def _fits(rows: Rows, dataset: str, method: str) -> list[Row]:
    """Fits of a table's row; those of `paper` go through the network of IMSAT."""
    if method in ("imsat", "paper"):
        found = rows.select("stages", dataset=dataset, preset="paper", series=False)
        return [_whole(row) if method == "paper" else row for row in found]
    job = "rival" if method in RIVALS else "fit"
    found = rows.select(job, dataset=dataset, method=method)
    size = SMALL if method == "best_without_images" else None
    return [row for row in found if row["params"].get("rows") == size]


def _whole(row: Row) -> Row:
    """A network with the fair stage after it, as one fit."""
    before, after = row["result"], row["result"]["after"][0]
    sums = {
        "cpu_seconds": before["cpu_seconds"] + after["cpu_seconds"],
        "history": [*before["history"], *after["history"]],
        "epoch_seconds": {
            "pretrain": before["epoch_seconds"]["pretrain"],
            "fair": after["epoch_seconds"]["fair"],
        },
    }
    return {"params": row["params"], "result": {**after, **sums}}


def _varied(rows: Rows, preset: str, name: str) -> list[tuple[float, list[Row]]]:
    """Fair stages by the value of a parameter, a row for every seed."""
    after: dict[float, list[Row]] = {}
    for row in rows.select("stages", dataset="mnist_usps", preset=preset, rows=SMALL):
        for stage in row["result"]["after"]:
            if name in stage:
                after.setdefault(stage[name], []).append({"params": row["params"], "result": stage})
    return sorted(after.items())


def _values(found: Iterable[Row], labels: str, name: str) -> list[float]:
    return [row["result"][labels][name] for row in found if labels in row["result"]]


def _epoch_cpu_seconds(result: dict[str, Any]) -> float:
    """Of an epoch with fairness term; in older rows its wall time by the fit's ratio of the two."""
    if "epoch_cpu_seconds" in result:
        return float(result["epoch_cpu_seconds"]["fair"])
    return float(result["epoch_seconds"]["fair"] * result["cpu_seconds"] / result["seconds"]["best"])


def _fair_shares(row: Row) -> list[float]:
    result = row["result"]
    return [seconds / result["epoch_seconds"]["fair"] for seconds in result["fair_step_seconds"][1:]]


# ---- page


def write(results: Path, docs: Path, table: Any, environments: Any) -> None:
    """Write the page and its pictures, if there is anything to be told."""
    rows = Rows(results / "deep.json")
    if not rows.all:
        return
    promises = promise_rows(judge(results), "too few rows yet")
    images = docs / "images"
    parts = [
        "# Benchmarks: deep fair clustering",
        "Made by `python -m benchmarks.render` from `benchmarks/results/deep.json`, measured by "
        "`python -m benchmarks.deep`. A row of that file is one fit of one seed, restarts included; rows add "
        "up, from any machine. Means over seeds, in brackets the worst. Class labels serve these tables "
        "only: starts are chosen without them.",
        table(("promise (accuracy / NMI / balance, means)", "measured", "kept"), promises),
    ]
    for dataset in (*DEEP_DATA, UNSEEN, *TABLES, *UNSEEN_TABLES):
        lines = [_line(method, _fits(rows, dataset, method)) for method in WORDS]
        lines = [line for line in lines if line]
        if not lines:
            continue
        for words, values in PUBLISHED.get(dataset, {}).items():
            lines.append((words, "", "", *(f"{value:.3f}" for value in values), *[""] * 7))
        parts += [f"## {TITLES[dataset]}", table(HEAD, lines)]
        if dataset in ("mnist_usps", "reverse_mnist") and (fits := _fits(rows, dataset, "paper")):
            count = fits[0]["params"].get("rows")
            size = f", on {count:,} of the images" if count else ""
            parts.append(
                f"`paper` has {PAPER_FAIR_EPOCHS} epochs with fairness here instead of 50, in bfloat16{size}."
            )
        if dataset == UNSEEN:
            parts.append(
                "Every image as it is and as a negative. No default was chosen with these images; they come "
                "from Debian's package `dataset-fashion-mnist`."
            )
        if dataset in UNSEEN_TABLES:
            parts.append("No default was chosen with this table. " + UNSEEN_TABLES[dataset])
    tests = []
    for data in (*DEEP_DATA, UNSEEN):
        for method in (*METHODS, "imsat", "paper"):
            found = [row for row in _fits(rows, data, method) if "test" in row["result"]]
            if found:
                words = f"{TITLES[data]}, {WORDS[method]}"
                tests.append((words, str(len(found)), *_cells(found, "test"), *_cells(found, "test_fair")))
    if tests:
        head = ("test part", "seeds", "Acc", "NMI", "balance", "fair: Acc", "NMI", "balance")
        parts += ["## Test parts, without the attribute", table(head, tests)]
    parts += _stages(rows, table)
    parts += _curves(rows, images) + draw_maps(rows.select("maps"), TITLES, images)
    parts += ["## Where the numbers come from", _devices(rows, table), environments((rows,))]
    (docs / "benchmarks_deep.md").write_text("\n\n".join(parts) + "\n")


def _stages(rows: Rows, table: Any) -> list[str]:
    """Networks before and after a fair stage."""
    lines = []
    for preset in ("paper", "best"):
        found = rows.select("stages", dataset="mnist_usps", preset=preset, rows=SMALL)
        if not found:
            continue
        result = found[0]["result"]
        words = f"`{preset}`, {result['epochs']} epochs without fairness" + " (IMSAT)" * (preset == "paper")
        lines.append((words, str(len(found)), *_cells(found, "network"), *_cells(found, "fair"), ""))
        for weight, after in _varied(rows, preset, "fairness"):
            moved = np.mean([[row["result"]["moved"][at] for at in (0, -1)] for row in after], axis=0)
            lines.append(
                (
                    f"then {_epochs(after)} with weight {weight:g}",
                    str(len(after)),
                    *_cells(after, "network"),
                    *_cells(after, "fair"),
                    f"{moved[0]:.1%}, {moved[1]:.1%}",
                )
            )
        for eps, after in _varied(rows, preset, "eps"):
            words = f"then {_epochs(after)} with bounds eps={eps:g}"
            lines.append((words, str(len(after)), *_cells(after, "network"), *_cells(after, "fair"), ""))
    if not lines:
        return []
    head = (
        "MNIST-USPS", "seeds", "Acc", "NMI", "balance", "fair: Acc", "NMI", "balance", "first and last moved",
    )  # fmt: skip
    words = (
        f"On {SMALL:,} images of MNIST-USPS, drawn at random. All fair stages of a seed start from the same "
        "network, so that a series differs in one parameter: the weight of the fairness loss (Figure 2; the "
        "presets' is 4) or the width of the bounds, shares within eps of the whole's (Table 4). The last "
        "column is the share of points that the first and the last fair step move."
    )
    return ["## Weight of fairness and width of bounds", words, table(head, lines)]


def _epochs(after: list[Row]) -> str:
    """Lengths of the fair stages, which depend on what the first step moved."""
    lengths = sorted({len(row["result"]["moved"]) for row in after})
    return " or ".join(map(str, lengths))


HEAD = (
    "method", "seeds", "image augmentation", "network: Acc", "NMI", "balance", "MNCE", "F-beta",
    "fair: Acc", "NMI", "balance", "CPU minutes", "seconds an epoch",
)  # fmt: skip


def _line(method: str, found: list[Row]) -> Sequence[str]:
    if not found:
        return ()
    fitted = method not in RIVALS
    augmented = "yes" if any(row["result"].get("image_augmentation") for row in found) else "no"
    cpu = [row["result"]["cpu_seconds"] / 60 for row in found] if fitted else []
    epochs = [max(row["result"]["epoch_seconds"].values()) for row in found] if fitted else []
    return (
        WORDS[method], str(len(found)), augmented,
        *_cells(found, "network"), *_cells(found, "network", ("mnce", "f_beta")), *_cells(found, "fair"),
        f"{np.mean(cpu):.1f}" if cpu else "", f"{np.mean(epochs):.1f}" if epochs else "",
    )  # fmt: skip


def _cells(found: list[Row], labels: str, names: Sequence[str] = MEASURES) -> list[str]:
    """Mean and worst of each measure."""
    out = []
    for name in names:
        values = _values(found, labels, name)
        out.append(f"{np.mean(values):.3f} ({min(values):.3f})" if values else "")
    return out


def _devices(rows: Rows, table: Any) -> str:
    counts: dict[tuple[str, str, str], int] = {}
    for row in [*rows.select("fit"), *rows.select("stages")]:
        result = row["result"]
        key = (result["device"], str(result["threads"]), result["torch"])
        counts[key] = counts.get(key, 0) + 1
    head = ("device", "threads", "torch", "fits")
    return str(table(head, [(*key, str(count)) for key, count in counts.items()]))


def _curves(rows: Rows, images: Path) -> list[str]:
    """Accuracy is not looked at while training; loss, balance and moved points are."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    drawn = [
        (data, method, found[0])
        for data in DEEP_DATA
        for method in ("best", "paper")
        if (found := [row for row in _fits(rows, data, method) if "history" in row["result"]])
    ]
    if not drawn:
        return []
    with mpl.rc_context({"svg.hashsalt": "faircluster", "font.size": 9}):
        figure = Figure(figsize=(10, 2.4 * len(drawn)), layout="constrained")
        axes = figure.subplots(len(drawn), 3, squeeze=False)
        for line, (data, method, row) in zip(axes, drawn, strict=True):
            history = _last_start(row["result"]["history"])
            fair = [i for i, each in enumerate(history) if each["stage"] == "fair"]
            for axis, name, color in zip(
                line, ("loss", "predicted_balance", "moved"), (BLUE, GREEN, RED), strict=True
            ):
                points = [(i, each[name]) for i, each in enumerate(history) if each.get(name) is not None]
                if points:
                    axis.plot(*zip(*points, strict=True), "o-", color=color, markersize=3)
                if fair:
                    axis.axvline(fair[0] - 0.5, color=GREY, linestyle=":")
                axis.grid(alpha=0.3)
                axis.set_xlabel("epoch")
                if name != "loss":
                    axis.set_ylim(bottom=0)
            line[0].set_ylabel(f"{TITLES[data]}\n{method}")
        for axis, title in zip(axes[0], ("loss", "balance of the network", "share moved"), strict=True):
            axis.set_title(title)
        images.mkdir(parents=True, exist_ok=True)
        figure.savefig(images / "deep_curves.svg", metadata={"Date": None})
    return [
        "## While training",
        "First seed; the dotted line is where the fair stage begins.",
        "![Loss, balance and moved points by epoch](images/deep_curves.svg)",
    ]


def _last_start(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Epochs of the start that was chosen."""
    start = history[-1]["start"]
    return [each for each in history if each["start"] == start]
