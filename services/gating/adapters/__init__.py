"""How gating reaches its database and its peers. No rules."""
