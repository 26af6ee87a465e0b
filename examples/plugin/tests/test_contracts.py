"""Every part of this package keeps the contract of its kind."""

from orthogan.testing import contracts_of

globals().update(contracts_of("orthogan-stripes"))
