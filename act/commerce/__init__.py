"""CID, the Commerce Interaction Domain: what is offered, and the order that locks it."""
