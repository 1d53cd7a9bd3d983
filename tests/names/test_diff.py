"""Two versions of a small backbone: each thing that may become of a name."""

from naflora_etl.names.diff import CHANGES, compare_tables, count_changes
from tests.names.test_resolve import backbone

OLD = """
1||Poa||alba|||L.|Accepted|1
2||Poa||beta|||L.|Accepted|2
3||Poa||gamma|||L.|Synonym|1
4||Poa||delta|||L.|Unplaced|
5||Poa||epsilon|||L.|Accepted|5
6||Poa||gone|||L.|Synonym|5
7||Poa||oldname|||L.|Accepted|7
8||Poa||zeta|||L.|Synonym|7
9||Poa||ring|||L.|Synonym|10
10||Poa||ringed|||L.|Synonym|9
11||Poa||kept|||L.|Synonym|1
"""
NEW = """
1||Poa||alba|||L.|Accepted|1
2||Poa||beta|||L.|Synonym|1
3||Poa||gamma|||L.|Accepted|3
4||Poa||delta|||L.|Synonym|1
55||Poa||epsilon|||L .|Unplaced|
7||Poa||oldname|||L.|Synonym|70
8||Poa||zeta|||L.|Synonym|70
70||Aria||oldname|||(L.) Mill.|Accepted|70
9||Poa||ring|||L.|Synonym|10
10||Poa||ringed|||L.|Synonym|9
1111||Poa||kept|||Linn.|Synonym|1
"""


def test_each_change_by_name() -> None:
    changes = compare_tables(backbone(OLD), backbone(NEW))
    assert [(row["name"], row["change"], row["new_accepted_name"]) for row in changes.to_pylist()] == [
        ("Poa beta", "lumped", "Poa alba"),
        ("Poa gamma", "split", "Poa gamma"),
        ("Poa oldname", "renamed", "Aria oldname"),
        ("Poa zeta", "renamed", "Aria oldname"),
        ("Poa delta", "placed", "Poa alba"),
        ("Poa epsilon", "unplaced", None),
        ("Aria oldname", "appeared", "Aria oldname"),
        ("Poa gone", "vanished", None),
    ]
    assert count_changes(changes) == dict(zip(CHANGES, (1, 1, 2, 1, 1, 1, 1), strict=True))


def test_a_backbone_does_not_differ_from_itself_in_any_order() -> None:
    table = backbone(OLD)
    assert len(compare_tables(table, table.take(list(range(len(table) - 1, -1, -1))))) == 0
    assert set(count_changes(compare_tables(table.slice(0, 0), table)).values()) == {0, 11}
