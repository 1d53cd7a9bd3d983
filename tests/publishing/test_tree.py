"""Distances between genera: branch lengths along a tree, summed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from small_world import make_world

from naflora_etl.engine.faults import Fault
from naflora_etl.publishing.tree import list_distances, measure_distances
from naflora_etl.publishing.verify import verify_release

TREE = "((Acer_rubrum:1,Acer_alba:9)A:2,(Viola:4,(Rosa_canina:1,'Quercus alba':0.5):1):3):7;"


def tree_file(folder: Path, text: str = TREE) -> str:
    (folder / "genera.nwk").write_text(text)
    return str(folder / "genera.nwk")


def test_distances_are_the_lengths_of_the_branches_between(tmp_path: Path) -> None:
    found = measure_distances(tree_file(tmp_path), ["Acer", "Ilex", "Quercus", "Rosa", "Viola"])
    assert found.missing == ("Ilex",)
    told = {(row["genus_id_x"], row["genus_id_y"]): row["distance"] for row in list_distances(found)}
    # Acer alba is first by the alphabet: 9 + 2 up to the root, whose own branch counts for nobody
    assert told == {(0, 2): 15.5, (0, 3): 16.0, (0, 4): 18.0, (2, 3): 1.5, (2, 4): 5.5, (3, 4): 6.0}


def test_a_large_tree_agrees_with_a_walk_from_tip_to_tip(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    nodes, parent, length = [f"Genus{n}" for n in range(40)], dict[str, str](), dict[str, float]()
    texts = {name: name for name in nodes}
    while len(nodes) > 1:
        picked = rng.choice(len(nodes), 2, replace=False)
        kids = [nodes[n] for n in picked]
        name = f"n{len(parent)}"
        for kid in kids:
            parent[kid], length[kid] = name, float(rng.integers(1, 9))
        texts[name] = f"({','.join(f'{texts[kid]}:{length[kid]}' for kid in kids)}){name}"
        nodes = [node for node in nodes if node not in kids] + [name]
    path = tree_file(tmp_path, texts[nodes[0]] + ";")

    def up(name: str) -> dict[str, float]:
        way, far = {name: 0.0}, 0.0
        while name in parent:
            far += length[name]
            name = parent[name]
            way[name] = far
        return way

    genera = [f"Genus{n}" for n in range(40)]
    pairs = measure_distances(path, genera).pairs
    for x in range(40):
        for y in range(x):
            one, two = up(genera[x]), up(genera[y])
            assert pairs[x, y] == pairs[y, x] == min(one[name] + two[name] for name in one.keys() & two.keys())


@pytest.mark.slow
def test_the_competitions_json_has_them_when_the_recipe_names_a_tree(tmp_path: Path) -> None:
    world = make_world(tmp_path / "world", release={"tree": tree_file(tmp_path)})
    world.pack_shards()
    world.write_release()
    told = json.loads((world.release / "train_metadata.json").read_text())
    assert told["distances"] == [{"genus_id_x": 0, "genus_id_y": 1, "distance": 18.0}]
    assert json.loads((world.release / "recipe.json").read_text())["release"]["tree"] == "genera.nwk"
    assert "summed along genera.nwk" in (world.release / "README.md").read_text()
    assert verify_release(world.release) == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("((a,b", "cannot be read"),
        ("(Ilex:1,Rosa:2);", "has none of our genera at its tips"),
        ("(Acer,Viola);", "has no branch lengths"),
        ("(Acer:1,Viola:2);(Acer:1,Viola:2);", "holds 2 trees; name a file with one"),
        ("(" * 3000 + "Acer:1" + ",b:1):1" * 3000 + ";", "is nested too deeply"),
    ],
)
def test_what_is_no_such_tree_is_told(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(Fault, match=sentence):
        measure_distances(tree_file(tmp_path, text), ["Acer", "Viola"])


def test_a_tree_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(Fault, match=r"release\.tree: .*: no such file"):
        measure_distances(str(tmp_path / "none.nwk"), ["Acer"])
