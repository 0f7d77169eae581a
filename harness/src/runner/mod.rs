//! From a plan to trials: the sweep, the process of a trial, its workers.
//!
//! [`sweep`] runs every cell's trials in interleaved rounds, each trial in a fresh process ([`child`], told what to do by a
//! [`job`], answering with [`event`]s). Inside, [`trial`] opens the engine, loads it, runs the phases ([`phase`], one
//! [`worker`] a thread, operations by [`executor`]), lets it [`settle`] and reads everything back ([`verify`]). A trial of [`memory`]
//! is not timed and tells what records take.

mod block_size;
mod bulk;
pub mod child;
mod entries;
pub mod event;
mod executor;
pub mod interrupt;
pub mod job;
mod judge;
pub mod memory;
mod phase;
mod progress;
mod recorder;
mod rendezvous;
mod settle;
pub mod sweep;
pub mod trial;
mod verify;
mod worker;

#[cfg(test)]
mod fake;
#[cfg(test)]
mod testing;
