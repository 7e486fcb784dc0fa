"""The one-machine runner: PostgreSQL, NATS, the four services and the gateway, supervised by one command.

`python -m stack --help` lists the commands. `cli` parses them, `up` is the order of a start, `topology` says
which programs there are, `supervisor` keeps them alive by the rules of `lifecycle`, and `leash` makes sure
that none of them outlives it.
"""
