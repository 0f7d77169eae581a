//! From a plan to trials: the sweep, the process of a trial, its workers.
