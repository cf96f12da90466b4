//! Time: database time plus a stored offset, given to everything as a parameter.
