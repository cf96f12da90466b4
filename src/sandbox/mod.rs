//! The agencies and the tax department as servers on loopback, to develop, demonstrate and test against.
