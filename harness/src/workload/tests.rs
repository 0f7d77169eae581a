//! Tests of the way from a file to a plan.

mod fake;
mod refused;
mod repository;
mod schema;
mod taken;
