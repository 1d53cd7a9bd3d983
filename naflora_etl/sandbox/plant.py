"""The pressed plant on a sheet: habit and outline are its genus's, proportions, tint and flower its species's own."""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass
from random import Random
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from naflora_etl.sandbox.flora import Species

Pixels = NDArray[np.uint8]
Outline = NDArray[np.complexfloating[Any, Any]]
HABITS = ("alternate", "rosette", "opposite", "pinnate", "grass", "palmate")
# of the places in a genus: leaf width and length against the genus's own, number of leaves, tint
PROPORTIONS = ((1.0, 1.0, 1.0, 0.0), (0.5, 1.25, 1.25, 0.5), (1.45, 0.72, 1.0, 1.0), (0.75, 0.55, 1.8, 0.25))
FLOWERS = ((138, 88, 158), (82, 168, 200), (172, 118, 96), (208, 220, 228), (78, 76, 164))  # blue, green, red
GREEN, BROWN = (62, 104, 98), (52, 92, 132)
SHIFT = 4  # bits of sub-pixel positions that cv2 takes


@dataclass(frozen=True)
class PlantForm:
    """What every plant of a species shares; lengths are shares of the sheet's long side."""

    habit: str
    leaf_length: float
    leaf_width: float
    """Against the length."""
    widest: float
    """Where the leaf is widest, 0 base to 1 tip."""
    point: float
    """How drawn out the tip is."""
    teeth: int
    tooth_depth: float
    lobes: int
    leaves: int
    tint: float
    """0 green to 1 brown."""
    flower: tuple[int, int, int]
    flower_size: float
    petals: int
    stem_width: float


def form_of(seed: int, species: Species) -> PlantForm:
    """Return the form of a species: from its genus's, by the proportions of its place in it."""
    genus = Random(f"{seed}/form/{species.genus}")
    own = Random(f"{seed}/form/{species.genus}/{species.place}")
    habit = HABITS[species.genus % len(HABITS)]
    width, length, number, tint = PROPORTIONS[species.place % len(PROPORTIONS)]
    width_of = {"grass": 0.03, "palmate": 0.9, "pinnate": 0.36}.get(habit, genus.uniform(0.38, 0.5))
    length_of = {"grass": 0.5, "rosette": 0.2, "pinnate": 0.074, "palmate": 0.15}.get(habit, 0.15)
    leaves_of = {"grass": 26, "rosette": 12, "pinnate": 9, "palmate": 10, "opposite": 14}.get(habit, 15)
    lobed = habit in ("palmate", "rosette")
    return PlantForm(
        habit,
        leaf_length=length_of * length * own.uniform(0.95, 1.05),
        leaf_width=width_of * width * own.uniform(0.95, 1.05),
        widest=genus.uniform(0.32, 0.6),
        point=genus.uniform(0.8, 1.6),
        teeth=0 if habit == "grass" else genus.choice((0, 9, 14, 20)),
        tooth_depth=genus.uniform(0.05, 0.12),
        lobes=genus.choice((5, 7)) + 2 * (species.place % 2) if lobed else 0,
        leaves=round(leaves_of * number),
        tint=0.15 + 0.7 * tint,
        flower=FLOWERS[(species.genus + 2 * species.place) % len(FLOWERS)],
        flower_size=genus.uniform(0.02, 0.028) * (1.0, 0.6, 1.5, 0.8)[species.place % 4],
        petals=genus.choice((4, 5, 6, 9)),
        stem_width=genus.uniform(0.0035, 0.006),
    )


def draw_plant(canvas: Pixels, form: PlantForm, box: tuple[int, int, int, int], long_px: int, random: Random) -> None:
    """Draw one plant of the form into the box (x0, y0, x1, y1) of a sheet whose long side is `long_px`."""
    x0, y0, x1, y1 = box
    base = complex(x0 + (x1 - x0) * random.uniform(0.36, 0.44), y1 - (y1 - y0) * random.uniform(0.06, 0.11))
    brush = _Brush(canvas, form, long_px, random)
    draw = {"grass": _grass, "rosette": _rosette}.get(form.habit, _branch)
    draw(brush, base, y1 - y0)
    brush.finish()


def leaf_outline(form: PlantForm) -> Outline:
    """Return a leaf from base (0) to tip (1) and back, as complex numbers; its width is in the imaginary part."""
    x = np.linspace(0.0, 1.0, 4 * max(form.teeth, 12) + 1)
    peak = math.log(0.5) / math.log(form.widest)  # x ** peak is 0.5 where the leaf is widest
    half = np.sin(np.pi * x**peak) ** form.point
    if form.lobes:
        half = half * (0.45 + 0.55 * np.abs(np.cos(np.pi * x * (form.lobes - 1) / 2)))
    if form.teeth:
        half = half * (1 - form.tooth_depth * ((x * form.teeth) % 1.0))
    half = half * form.leaf_width / 2
    return np.concatenate([x + 1j * half, x[::-1] - 1j * half[::-1]])


class _Brush:
    """Collects shadows, stems, leaves and flowers, and paints them in that order."""

    def __init__(self, canvas: Pixels, form: PlantForm, long_px: int, random: Random) -> None:
        self.canvas, self.form, self.long_px, self.random = canvas, form, long_px, random
        self.outline = leaf_outline(form)
        self.leaves: list[tuple[Outline, int]] = []
        self.stems: list[tuple[Outline, float]] = []
        self.flowers: list[tuple[complex, float]] = []

    def leaf(self, at: complex, angle: float, size: float = 1.0, outline: Outline | None = None) -> None:
        """Add a leaf whose base is at `at`; every leaf is bent a little."""
        shape = self.outline if outline is None else outline
        bend = self.random.uniform(-0.5, 0.5) * (2.2 if self.form.habit == "grass" else 1.0)
        bent = shape * np.exp(1j * bend * shape.real)
        placed = at + bent * (self.form.leaf_length * self.long_px * size) * cmath.exp(1j * angle)
        self.leaves.append((placed, len(shape) // 2))

    def stem(self, points: Outline, width: float = 1.0) -> None:
        """Add a stem along points; its width is against the form's own."""
        self.stems.append((points, width))

    def flower(self, at: complex, size: float = 1.0) -> None:
        """Add a flower."""
        self.flowers.append((at, size * self.form.flower_size * self.long_px))

    def finish(self) -> None:
        """Paint everything."""
        drop = complex(0.0016, 0.0022) * self.long_px
        _fill(self.canvas, [shape + drop for shape, _ in self.leaves], self._shade())
        for points, width in self.stems:
            thick = max(1, round(self.form.stem_width * self.long_px * width))
            _draw_line(self.canvas, points, thick, (58, 88, 104))
            _draw_line(self.canvas, points - 0.2 * thick, max(1, thick // 3), (82, 122, 138))
        for shape, half in self.leaves:
            self._paint_leaf(shape, half)
        for at, size in self.flowers:
            self._paint_flower(at, size)
        for points, _ in self.stems[:1]:
            for share in (0.12, 0.45, 0.8):
                self._tape(points, int(share * (len(points) - 1)))

    def _tape(self, points: Outline, at: int) -> None:
        """Hold a stem to the paper by a strip of linen."""
        heading = points[min(at + 1, len(points) - 1)] - points[at - 1]
        across = 1j * heading / abs(heading) * self.long_px * cmath.exp(1j * self.random.uniform(-0.4, 0.4))
        along = across * -1j
        corners = [0.017 * across + 0.002 * along, -0.017 * across + 0.002 * along]
        strip = points[at] + np.array([*corners, *(-corner for corner in corners)])
        _fill(self.canvas, [strip + complex(0.0006, 0.0009) * self.long_px], self._shade())
        _fill(self.canvas, [strip], (228, 234, 238))

    def _shade(self) -> tuple[int, int, int]:
        paper = self.canvas[self.canvas.shape[0] // 3, self.canvas.shape[1] // 2]
        return tuple(int(value) * 4 // 5 for value in paper)  # type: ignore[return-value]

    def _paint_leaf(self, shape: Outline, half: int) -> None:
        random, tint = self.random, self.form.tint
        tint = min(1.0, max(0.0, tint + random.uniform(-0.14, 0.14)))
        light = random.uniform(0.9, 1.1) * (1.22 if random.random() < 0.2 else 1.0)  # the paler underside
        colour = [min(255.0, (g + (b - g) * tint) * light) for g, b in zip(GREEN, BROWN, strict=True)]
        _fill(self.canvas, [shape], _scaled(colour, 1.0))
        _fill(
            self.canvas,
            [np.concatenate([shape[:half], ((shape[:half] + shape[half:][::-1]) / 2)[::-1]])],
            _scaled(colour, 0.93),
        )
        middle = (shape[:half] + shape[half:][::-1]) / 2
        if self.form.habit != "grass":
            self._paint_blotches(shape, middle, colour)
        vein = _scaled(colour, 1.25)
        thin = max(1, round(self.long_px * 0.0004))
        if self.form.habit != "grass":
            ends = range(half // 8, half * 7 // 8, max(1, half // 9))
            reach = [min(half - 1, end + half // 9) for end in ends]
            sides = [
                np.array([middle[end], (middle[end] + 9 * side[to]) / 10])
                for end, to in zip(ends, reach, strict=True)
                for side in (shape[:half], shape[half:][::-1])
            ]
            cv2.polylines(self.canvas, [_points(side) for side in sides], False, vein, thin, cv2.LINE_AA, SHIFT)
            _draw_line(self.canvas, shape, thin, _scaled(colour, 0.72), closed=True)
        _draw_line(self.canvas, middle, 2 * thin, vein)

    def _paint_blotches(self, shape: Outline, middle: Outline, colour: list[float]) -> None:
        """Age the leaf: clouds a little lighter or darker, and a few brown specks."""
        random, length = self.random, abs(middle[-1] - middle[0])
        around = np.exp(1j * np.linspace(0, 2 * np.pi, 11)[:-1])
        for number in range(9):
            at = random.randrange(len(middle) // 6, len(middle) * 5 // 6)
            side = shape[at] if number % 2 else shape[-1 - at]
            reach = abs(side - middle[at])
            spot = middle[at] + (side - middle[at]) * random.uniform(0.1, 0.75)
            size = min(reach * 0.22, length * (0.06 if number < 5 else 0.007)) * random.uniform(0.6, 1.0)
            uneven = np.array([random.uniform(0.7, 1.15) for _ in range(10)])
            tone = _scaled(colour, random.uniform(0.9, 1.07)) if number < 5 else (40, 62, 88)
            _fill(self.canvas, [spot + around * uneven * size], tone)

    def _paint_flower(self, at: complex, size: float) -> None:
        random, petals = self.random, self.form.petals
        turn = random.uniform(0, 6.283)
        around = np.exp(1j * np.linspace(0, 2 * np.pi, 17))
        shapes = []
        for petal in range(petals):
            way = cmath.exp(1j * (turn + 6.283 * petal / petals))
            shapes.append(at + way * size * (0.55 + 0.45 * around.real + 1.4j / petals * around.imag))
        _fill(self.canvas, shapes, _scaled(list(self.form.flower), random.uniform(0.85, 1.0)))
        for shape in shapes:
            _draw_line(self.canvas, shape, max(1, round(size / 22)), _scaled(list(self.form.flower), 0.7), closed=True)
        _fill(self.canvas, [at + around * size * 0.25], (48, 96, 128))


def _branch(brush: _Brush, base: complex, height: float) -> None:
    """Stems with leaves: alternate, opposite, compound or palmate."""
    form, random = brush.form, brush.random
    lean = random.uniform(-0.12, 0.2)
    rise = height * random.uniform(0.7, 0.8)
    t = np.linspace(0, 1, 40)
    stem = base + rise * (-1j * t + lean * t + random.uniform(-0.05, 0.05) * np.sin(3 * t))
    brush.stem(stem, 1.3)
    side = 1
    for number in range(form.leaves):
        share = 0.2 + 0.8 * number / max(1, form.leaves - 1)
        at = stem[int(share * 39)]
        spread = random.uniform(0.75, 1.05) * (1.15 - 0.65 * share)
        size = (1.15 - 0.5 * share) * random.uniform(0.85, 1.12)
        sides = (1, -1) if form.habit == "opposite" else (side,)
        for way in sides:
            _hang(brush, at, -math.pi / 2 + way * spread, size)
        side = -side
    if form.habit != "pinnate":
        _hang(brush, stem[-1], -math.pi / 2 + random.uniform(-0.2, 0.2), 0.6)
    for number in range(3 + form.petals % 4):
        twig = stem[-1] + height * complex(random.uniform(-0.1, 0.1), random.uniform(-0.1, 0.03))
        brush.stem(np.array([stem[-1 - 2 * number], twig]), 0.5)
        brush.flower(twig)


def _hang(brush: _Brush, at: complex, angle: float, size: float) -> None:
    """Hang one leaf on the stem, of several leaflets where the habit wants it."""
    form, random = brush.form, brush.random
    if form.habit == "pinnate":
        length = form.leaf_length * brush.long_px * size * 2.6
        axis = at + length * np.linspace(0, 1, 12) * cmath.exp(1j * angle)
        brush.stem(axis, 0.5)
        pairs = 5 if form.leaf_width > 0.3 else 8
        for pair in range(1, pairs + 1):
            node = at + length * pair / pairs * cmath.exp(1j * angle)
            for way in (1, -1):
                brush.leaf(node, angle + way * random.uniform(0.85, 1.05), size * (1.05 - 0.06 * pair))
        brush.leaf(axis[-1], angle, size)
        return
    stalk = form.leaf_length * brush.long_px * size * (0.55 if form.habit == "palmate" else 0.12)
    end = at + stalk * cmath.exp(1j * angle)
    brush.stem(np.array([at, end]), 0.45)
    if form.habit == "palmate":
        finger = brush.outline.real + 0.42j * brush.outline.imag
        for number in range(form.lobes):
            turn = (number - (form.lobes - 1) / 2) * 2.6 / form.lobes
            brush.leaf(end, angle + turn, size * (1 - 0.16 * abs(turn)), finger)
    else:
        brush.leaf(end, angle, size)


def _rosette(brush: _Brush, base: complex, height: float) -> None:
    """Leaves from the ground, and flowers on bare stalks."""
    form, random = brush.form, brush.random
    base -= 1j * height * 0.12
    for number in range(form.leaves):
        turn = (number + random.uniform(0.2, 0.8)) / form.leaves
        brush.leaf(
            base, -math.pi * (0.02 + 0.96 * turn), random.uniform(0.8, 1.15) * (0.8 + 0.4 * math.sin(math.pi * turn))
        )
    for _ in range(2 + form.petals % 3):
        tip = base + height * complex(random.uniform(-0.22, 0.25), -random.uniform(0.5, 0.72))
        t = np.linspace(0, 1, 20)
        stalk = base + (tip - base) * t + height * random.uniform(-0.06, 0.06) * np.sin(np.pi * t)
        brush.stem(stalk, 0.6)
        brush.flower(tip, 1.6)
    brush.stem(base + height * np.array([0, 0.02 + 0.05j, 0.01 + 0.1j]), 2.0)


def _grass(brush: _Brush, base: complex, height: float) -> None:
    """A tuft of narrow leaves, and culms with ears."""
    form, random = brush.form, brush.random
    for _ in range(form.leaves):
        at = base + height * complex(random.uniform(-0.03, 0.03), random.uniform(-0.02, 0.02))
        brush.leaf(at, -math.pi / 2 + random.gauss(0.0, 0.32), random.uniform(0.55, 1.1))
    awn = brush.outline.real * 0.12 + 0.12j * brush.outline.imag * (0.16 / form.leaf_width)
    for _ in range(3 + form.petals % 3):
        tip = base + height * complex(random.uniform(-0.2, 0.24), -random.uniform(0.62, 0.78))
        t = np.linspace(0, 1, 20)
        culm = base + (tip - base) * t + height * random.uniform(-0.05, 0.05) * np.sin(np.pi * t)
        brush.stem(culm, 0.5)
        grains = 5 + 3 * form.petals
        for number in range(grains):
            node = culm[-1] + (culm[-4] - culm[-1]) * 1.3 * number / grains
            heading = cmath.phase(culm[-1] - culm[-4]) + (0.5 if number % 2 else -0.5)
            brush.leaf(node, heading, form.flower_size * 30, awn)


def _points(shape: Outline) -> NDArray[np.int32]:
    return np.round(np.stack([shape.real, shape.imag], 1) * (1 << SHIFT)).astype(np.int32)


def _fill(canvas: Pixels, shapes: list[Outline], colour: tuple[int, int, int]) -> None:
    for shape in shapes:  # one by one: shapes that overlap would cancel out
        cv2.fillPoly(canvas, [_points(shape)], colour, cv2.LINE_AA, SHIFT)


def _draw_line(canvas: Pixels, points: Outline, thick: int, colour: tuple[int, int, int], closed: bool = False) -> None:
    cv2.polylines(canvas, [_points(points)], closed, colour, thick, cv2.LINE_AA, SHIFT)


def _scaled(colour: list[float] | list[int], by: float) -> tuple[int, int, int]:
    blue, green, red = (int(min(255.0, value * by)) for value in colour)
    return blue, green, red
