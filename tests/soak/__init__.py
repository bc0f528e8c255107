"""The tests of docs/reliability.md in large: each bounded in count and in time, its figures one line of JSON."""
