"""A list of URLs in, shards of finished images out: the fetch-to-shard part of the path for people without a recipe."""
