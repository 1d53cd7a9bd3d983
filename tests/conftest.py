"""That this file stands here lets the tests of all rooms import what lies beside it, such as small_world."""
