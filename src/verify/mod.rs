//! Facts to verdicts: gather, judge, write what changed.
