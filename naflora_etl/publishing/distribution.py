"""How images are spread over classes: counts, shape, who is rare and who is capped, as a table and a figure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, StrMethodFormatter

from naflora_etl.engine.faults import Fault
from naflora_etl.engine.tables import query_tables, read_parquet

CLASS_COLUMNS = ("taxon_name", "scientificName", "scientific_name", "species")
GREEN, OCHRE, RUST = "#5b7f4f", "#c98b2b", "#a8492f"


@dataclass(frozen=True)
class Distribution:
    """The shape of a dataset; `classes` and `groups` are tables of name and images, most first."""

    images: int
    nameless: int
    """Images whose class column is empty; they are in no count below."""
    most: int
    least: int
    median: float
    mean: float
    sd: float
    """Standard deviation of the images of a class, the population's."""
    rare: int
    rare_classes: int
    rare_images: int
    """Classes with fewer than `rare` images, and the images they hold."""
    cap: int
    capped_classes: int
    capped_images: int
    """Classes with more than `cap` images, and the images above it."""
    by: str | None
    classes: pa.Table
    groups: pa.Table | None

    def as_dict(self) -> dict[str, Any]:
        """Return all but the list of classes as JSON takes it."""
        facts = {name: value for name, value in asdict(self).items() if name not in ("classes", "groups")}
        return facts | {"classes": self.classes.num_rows, "groups": self.groups.to_pylist() if self.groups else []}

    def __str__(self) -> str:
        lines = [
            f"{self.images:,} images of {self.classes.num_rows:,} classes: {self.least:,} to {self.most:,} a class, "
            f"median {self.median:g}, mean {self.mean:.1f}, SD {self.sd:.1f}."
            + (f" {self.nameless:,} more have no class." if self.nameless else ""),
            f"{self.rare_classes:,} classes have fewer than {self.rare} images ({self.rare_images:,} images); "
            f"{self.capped_classes:,} have more than {self.cap:,} ({self.capped_images:,} images above).",
        ]
        if self.groups:
            rows = self.groups.to_pylist()
            wide = max(len(str(row["name"])) for row in rows[:15])
            lines += [
                f"  {row['name']!s:{wide}}  {row['classes']:>6,} classes  {row['images']:>9,} images"
                for row in rows[:15]
            ]
            lines += [f"  and {len(rows) - 15:,} more"] if len(rows) > 15 else []
        return "\n".join(lines)


def read_rows(path: Path) -> pa.Table:
    """Return the table of a release folder, or a table of images (.parquet, .csv); raises Fault for neither."""
    path = path / "manifest.parquet" if path.is_dir() else path
    if not path.is_file():
        raise Fault(f"{path}: no such table; give a release folder, or a table of images as .parquet or .csv.")
    try:
        return pa.csv.read_csv(path) if path.suffix.lower() == ".csv" else read_parquet(path)
    except (pa.ArrowException, OSError) as error:
        raise Fault(f"{path} cannot be read as a table ({str(error).splitlines()[0]}).") from None


def describe(
    rows: pa.Table, *, by: str | None = "family", rare: int = 10, cap: int = 1000, class_column: str | None = None
) -> Distribution:
    """Return how the images (a row each) are spread over classes and over the groups of column `by`."""
    column = class_column or next((name for name in CLASS_COLUMNS if name in rows.column_names), "")
    missing = [name for name in (column or "taxon_name", by) if name and name not in rows.column_names]
    if missing:
        raise Fault(f"there is no column {', '.join(missing)}; there are {', '.join(rows.column_names)}.")
    named = query_tables(f'select "{column}" as name, count(*) as images from t where "{column}" is not null '
                         "group by 1 order by 2 desc, 1", t=rows)  # fmt: skip
    if not named.num_rows:
        raise Fault(f"no image has a value in {column}, so there is nothing to count.")
    counts = named["images"].to_numpy()
    few, many = counts < rare, counts > cap
    return Distribution(
        images=int(counts.sum()),
        nameless=rows.num_rows - int(counts.sum()),
        most=int(counts.max()),
        least=int(counts.min()),
        median=float(np.median(counts)),
        mean=float(counts.mean()),
        sd=float(counts.std()),
        rare=rare,
        rare_classes=int(few.sum()),
        rare_images=int(counts[few].sum()),
        cap=cap,
        capped_classes=int(many.sum()),
        capped_images=int((counts[many] - cap).sum()),
        by=by,
        classes=named,
        groups=_count_groups(rows, column, by) if by else None,
    )


def _count_groups(rows: pa.Table, column: str, by: str) -> pa.Table:
    return query_tables(
        f"""select coalesce("{by}"::varchar, '(none)') as name, count(distinct "{column}") as classes,
            count(*) as images from t where "{column}" is not null group by 1 order by 3 desc, 1""",
        t=rows,
    )


def draw_distribution(found: Distribution, path: Path) -> None:
    """Draw the images of each class, most first, with the two thresholds, as a PNG; a long tail on logarithmic axes."""
    counts: npt.NDArray[np.int64] = found.classes["images"].to_numpy()
    figure = Figure(figsize=(8, 3.6), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    places = np.arange(1, len(counts) + 1)
    is_long = found.most >= 10 * found.least
    floor = 0.8 if is_long else 0.0
    axes.fill_between(places, counts, floor, step="mid", color=GREEN, alpha=0.35, linewidth=0)
    axes.step(places, counts, where="mid", color=GREEN)
    for value, colour, name in ((found.rare, RUST, "rare"), (found.cap, OCHRE, "cap")):
        if floor < value <= 2 * counts.max():
            axes.axhline(value, color=colour, linewidth=1, linestyle="--")
            axes.annotate(f"{name} {value:,}", (1, value), xytext=(4, 3), textcoords="offset points", color=colour)
    axes.set(xscale="log" if len(counts) > 40 else "linear", yscale="log" if is_long else "linear")
    axes.set(xlim=(1, max(2, len(counts))), ylim=(floor, None))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        axis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("classes, most images first")
    axes.set_ylabel("images")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Software": None})
